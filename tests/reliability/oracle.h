// What a shop holds after the records of its log: folded from the first one on, in the slow and
// obvious way.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/histories.h"
#include "data/item.h"
#include "store/event_log.h"

namespace vitrine {

struct Record {
  RecordKind kind;
  std::string payload;
  std::string id = {};  // of an event; empty: none
  friend bool operator==(const Record& a, const Record& b) {
    return a.kind == b.kind && a.payload == b.payload;
  }
};

class Oracle {
 public:
  struct Done {
    Timestamp time;
    std::uint64_t sequence;
    std::uint32_t item;
    EventType type;
    float value, quantity;
    bool counts_pieces;
    std::string order;
  };
  using History = std::vector<Done>;  // in time order, ties in log order

  // Record i has the sequence i + 1.
  Oracle(std::span<const Record> log, const EventTypes& types, const EventWeights& weights);

  std::vector<std::string> users, items;       // by index; an erased user's is empty
  std::vector<std::optional<Item>> described;  // by item, like `available`
  std::vector<bool> available;
  std::uint64_t events = 0;

  std::optional<std::uint32_t> user(const std::string& id) const { return find(users, id); }
  std::optional<std::uint32_t> item(const std::string& id) const { return find(items, id); }
  // What models see of a person: without what was taken back.
  History history(std::uint32_t user) const { return seen(of(user)); }
  History history(const std::string& session) const { return seen(of(session)); }
  // Available items and what they were wanted in the window; with neither days nor hours, ever.
  std::map<std::uint32_t, float> popular(int days, int hours) const;

 private:
  struct Count {
    std::uint32_t item;
    Timestamp time;
    double weight;
  };
  static std::optional<std::uint32_t> find(const std::vector<std::string>& ids,
                                           const std::string& id);
  static std::string of(std::uint32_t user) { return "user " + std::to_string(user); }
  static std::string of(const std::string& session) { return "session " + session; }

  void fold(const Record& record, std::uint64_t sequence);
  void fold(const Event& event, std::uint64_t sequence);
  void fold_weight(History& person, const Done& done);
  void take_back(History& person, const Event& event, Timestamp time);
  void move(const std::string& from, const std::string& to);
  std::uint32_t add_user(const std::string& id);
  std::uint32_t add_item(const std::string& id);
  History seen(const std::string& person) const;
  History seen(History all) const;
  void count(const History& person, std::uint32_t item, double times);
  float weight(EventType type) const { return weights_[static_cast<std::size_t>(type)]; }

  const EventTypes& types_;
  const EventWeights& weights_;
  std::map<std::string, History> persons_;
  std::vector<Count> counts_;
};

}  // namespace vitrine
