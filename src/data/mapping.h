// Rows become events, items and users: compiled once per source, then run for every row.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/columns.h"
#include "data/event.h"
#include "data/item.h"

namespace vitrine {

// What a row turned out to be; an Error is the reason why it is none.
enum class RowOutcome { kRecord, kIgnored };

class EventMapping {
 public:
  static Result<EventMapping> compile(const SourceOptions& source, Columns& columns,
                                      const EventTypes& types);
  // Fills `event`, which is as new. It has passed check_event().
  Result<RowOutcome> fill(std::span<const std::string_view> fields, Event& event);

 private:
  struct TypeWord {
    std::string word;
    EventType type;
    bool ignored;
  };
  explicit EventMapping(const EventTypes& types) : types_(&types) {}
  Status compile_types(const SourceOptions& source);
  Result<const TypeWord*> type_word(std::string_view word);
  void fill_context(std::span<const std::string_view> fields, std::string& out) const;

  const EventTypes* types_;
  std::vector<std::pair<FieldSource, std::string Event::*>> texts_;
  std::vector<std::pair<FieldSource, std::pair<std::string_view, double Event::*>>> numbers_;
  std::vector<std::pair<FieldSource, std::pair<std::string_view, Timestamp Event::*>>> times_;
  FieldSource type_, origin_;
  std::string default_type_;
  std::vector<TypeWord> words_;  // the source's words, as they turn up
  std::vector<std::string> ignored_;
  std::vector<std::pair<std::string, FieldSource>> context_;  // keys as JSON strings, quoted
  bool anonymous_by_order_ = false;
};

// Items and users are rare beside events: they go through JSON, whose reader checks everything.
class RecordMapping {
 public:
  static Result<RecordMapping> compile(const SourceOptions& source, Columns& columns);
  // An object as item_from_json() and user_from_json() read it.
  Result<Value> to_json(std::span<const std::string_view> fields) const;

 private:
  enum class Shape { kText, kNumber, kFlag, kList };
  struct Part {
    std::string name;
    FieldSource source;
    Shape shape;
    std::string separator;  // of kList
  };
  std::vector<Part> parts_;
  std::vector<std::pair<std::string, FieldSource>> attributes_;
};

// "2.50" with blanks around; the whole text, finite. `what` names the field in the message.
Result<double> parse_number(std::string_view text, std::string_view what);
std::string_view without_blanks(std::string_view text);
// The name under which a mapped column is kept: the column's own, "column_3" for "#3".
std::string kept_name(std::string_view spec);

}  // namespace vitrine
