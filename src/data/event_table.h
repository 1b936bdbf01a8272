// The raw events in columns: what is read back from the log for training, cleaning and evaluation.
// One row per event, in log order. Outside ids have become indexes; nothing has been cleaned.
#pragma once

#include <cstdint>
#include <vector>

#include "data/event.h"
#include "data/vocabulary.h"

namespace vitrine {

// Rows are persons' events. `session` and `order` are dense numbers local to the table (~0u: none).
struct EventTable {
  std::vector<UserIndex> user;  // kNoUser: anonymous
  std::vector<ItemIndex> item;  // kNoItem: a search, or the id was missing
  std::vector<EventType> type;
  std::vector<float> value, quantity, price;  // NaN: absent
  std::vector<Timestamp> time;                // kNoTime: absent
  std::vector<Timestamp> received;
  std::vector<std::uint32_t> session, order;
  std::vector<std::uint64_t> sequence;  // in the event log
  std::vector<std::uint64_t>
      content;  // hash of what the shop said, ids included: equal content, equal hash
  StringIndex sessions, orders;

  static constexpr std::uint32_t kNone = ~0u;
  std::size_t size() const { return item.size(); }
  // Adds the ids to the vocabulary and a row. An event with neither user nor session gets kNone in
  // both.
  void add(const Event& event, std::uint64_t sequence_number, Vocabulary& vocabulary);
};

}  // namespace vitrine
