#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "data/mapping.h"
#include "data/text.h"

namespace vitrine {
namespace {

constexpr std::pair<std::string SourceOptions::*, std::pair<std::string_view, std::string Event::*>>
    kTexts[] = {{&SourceOptions::id, {"id", &Event::id}},
                {&SourceOptions::user, {"user", &Event::user}},
                {&SourceOptions::session, {"session", &Event::session}},
                {&SourceOptions::item, {"item", &Event::item}},
                {&SourceOptions::order, {"order", &Event::order}},
                {&SourceOptions::slate, {"slate", &Event::slate}},
                {&SourceOptions::query, {"query", &Event::query}}};
constexpr std::pair<std::string SourceOptions::*, std::pair<std::string_view, double Event::*>>
    kNumbers[] = {{&SourceOptions::value, {"value", &Event::value}},
                  {&SourceOptions::quantity, {"quantity", &Event::quantity}},
                  {&SourceOptions::price, {"price", &Event::price}}};
constexpr std::pair<std::string SourceOptions::*, std::pair<std::string_view, Timestamp Event::*>>
    kTimes[] = {{&SourceOptions::time, {"time", &Event::time}},
                {&SourceOptions::received, {"received", &Event::received}}};

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

Status check_mapped(const SourceOptions& source) {
  if (source.item.empty()) {
    return Error{Code::kInvalid, "item: name the column of the item id"};
  }
  if (source.user.empty() && source.session.empty() &&
      !(source.anonymous_by_order && !source.order.empty())) {
    return Error{Code::kInvalid,
                 "user: name the column of the user id or of the session id, or set "
                 "anonymous_by_order and order"};
  }
  if (source.type.empty() && source.default_type.empty()) {
    return Error{Code::kInvalid, "type: name the column of the event type, or set default_type"};
  }
  return {};
}

}  // namespace

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string kept_name(std::string_view spec) {
  return spec.starts_with('#') ? "column_" + std::string(spec.substr(1)) : std::string(spec);
}

Result<double> parse_number(std::string_view text, std::string_view what) {
  std::string_view digits = without_blanks(text);
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  double number = 0;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end && std::isfinite(number)) return number;
  return Error{Code::kInvalid, std::string(what) + ": expected a number, found " + shown(text)};
}

Result<EventMapping> EventMapping::compile(const SourceOptions& source, Columns& columns,
                                           const EventTypes& types) {
  VT_TRY(check_mapped(source));
  EventMapping mapping(types);
  for (const auto& [spec, field] : kTexts) {
    VT_TRY(FieldSource from, columns.find(field.first, source.*spec));
    if (from.present()) mapping.texts_.emplace_back(std::move(from), field.second);
  }
  for (const auto& [spec, field] : kNumbers) {
    VT_TRY(FieldSource from, columns.find(field.first, source.*spec));
    if (from.present()) mapping.numbers_.emplace_back(std::move(from), field);
  }
  for (const auto& [spec, field] : kTimes) {
    VT_TRY(FieldSource from, columns.find(field.first, source.*spec));
    if (from.present()) mapping.times_.emplace_back(std::move(from), field);
  }
  VT_TRY(mapping.type_, columns.find("type", source.type));
  VT_TRY(mapping.origin_, columns.find("origin", source.origin));
  for (const std::string& spec : source.context) {
    VT_TRY(FieldSource from, columns.find("context", spec));
    std::string key;
    append_json_string(key, kept_name(spec));
    mapping.context_.emplace_back(std::move(key), std::move(from));
  }
  mapping.anonymous_by_order_ = source.anonymous_by_order;
  VT_TRY(mapping.compile_types(source));
  return mapping;
}

Status EventMapping::compile_types(const SourceOptions& source) {
  ignored_ = source.ignore_types;
  const auto is_ignored = [&](std::string_view word) {
    return std::find(ignored_.begin(), ignored_.end(), word) != ignored_.end();
  };
  for (const std::string& entry : source.types) {
    const std::size_t equals = entry.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Code::kInvalid,
                   "types: " + shown(entry) + " is not written word=type, as in \"sale=purchase\""};
    }
    const auto type = types_->find(std::string_view(entry).substr(equals + 1));
    if (!type.ok()) return type.error().prefixed("types");
    const std::string word = entry.substr(0, equals);
    words_.push_back({word, *type, is_ignored(word) || is_ignored(types_->name(*type))});
  }
  default_type_ = source.default_type;
  if (default_type_.empty() && source.type.starts_with('=')) default_type_ = source.type.substr(1);
  if (!default_type_.empty()) {
    const auto type = type_word(default_type_);
    if (!type.ok()) return type.error().prefixed("default_type");
  }
  return {};
}

// A word is looked up once and then remembered; unknown ones are not, so there are few.
Result<const EventMapping::TypeWord*> EventMapping::type_word(std::string_view word) {
  for (const TypeWord& known : words_) {
    if (known.word == word) return &known;
  }
  const bool ignored = std::find(ignored_.begin(), ignored_.end(), word) != ignored_.end();
  EventType type = EventType::kView;
  if (!ignored) {
    VT_TRY(type, types_->find(word));
  }
  words_.push_back({std::string(word), type, ignored});
  return &words_.back();
}

Result<RowOutcome> EventMapping::fill(std::span<const std::string_view> fields, Event& event) {
  std::string_view word = type_.of(fields);
  if (word.empty()) word = default_type_;
  if (word.empty()) return Error{Code::kInvalid, "type: is empty, and there is no default_type"};
  const auto type = type_word(word);
  if (!type.ok()) {
    Error error = type.error().prefixed("type");
    error.message += " (the option types maps a file's words, ignore_types leaves them out)";
    return error;
  }
  if ((*type)->ignored) return RowOutcome::kIgnored;
  event.type = (*type)->type;
  for (const auto& [from, member] : texts_) (event.*member).assign(from.of(fields));
  if (const std::string_view origin = without_blanks(origin_.of(fields)); !origin.empty()) {
    const auto found = find_origin(origin);
    if (!found.ok()) return found.error().prefixed("origin");
    event.origin = *found;
  }
  for (const auto& [from, field] : numbers_) {
    const std::string_view text = from.of(fields);
    if (text.empty()) continue;
    VT_TRY(event.*(field.second), parse_number(text, field.first));
  }
  for (const auto& [from, field] : times_) {
    const std::string_view text = without_blanks(from.of(fields));
    if (text.empty()) continue;
    const auto time = parse_time(text);
    if (!time.ok()) return time.error().prefixed(field.first);
    event.*(field.second) = *time;
  }
  if (anonymous_by_order_ && event.user.empty() && event.session.empty())
    event.session = event.order;
  if (!context_.empty()) fill_context(fields, event.context);
  VT_TRY(check_event(event));
  return RowOutcome::kRecord;
}

void EventMapping::fill_context(std::span<const std::string_view> fields, std::string& out) const {
  for (const auto& [key, from] : context_) {
    const std::string_view text = from.of(fields);
    if (text.empty()) continue;
    out += out.empty() ? '{' : ',';
    out += key;
    out += ':';
    append_json_string(out, text);
  }
  if (!out.empty()) out += '}';
}

}  // namespace vitrine
