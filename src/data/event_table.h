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
  std::vector<std::uint64_t> content;   // equal for events that say the same, id and receipt aside
  StringIndex sessions, orders;

  static constexpr std::uint32_t kNone = ~0u;
  static constexpr std::uint64_t kNobody = ~std::uint64_t{0};
  std::size_t size() const { return item.size(); }
  // One number for each known user and each anonymous session; kNobody without either.
  std::uint64_t person(std::size_t row) const {
    if (user[row] != kNoUser) return raw(user[row]);
    return session[row] == kNone ? kNobody : (std::uint64_t{1} << 32) + session[row];
  }
  // Adds the ids to the vocabulary and a row. The caller passes one vocabulary throughout.
  void add(const Event& event, std::uint64_t sequence_number, Vocabulary& vocabulary);
  // The same when it is known whom and what the event's ids mean.
  void add(const Event& event, std::uint64_t sequence_number, UserIndex of, ItemIndex about);
};

}  // namespace vitrine
