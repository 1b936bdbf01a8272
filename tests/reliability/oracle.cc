#include "tests/reliability/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/dataset.h"
#include "engine/merge.h"

namespace vitrine {
namespace {

bool is_return(const Event& event) {
  return event.type == EventType::kReturn ||
         (event.type == EventType::kPurchase && event.quantity < 0);
}

// What happened more than a day after we heard of it did not.
Timestamp believable(const Event& event) { return std::min(event.time, event.received); }

template <class T>
T must(Result<T> result) {
  VT_CHECK(result.ok());
  return std::move(result).value();
}

std::int64_t floor_of(Timestamp time, Timestamp length) {
  return static_cast<std::int64_t>(
      std::floor(static_cast<long double>(time) / static_cast<long double>(length)));
}

}  // namespace

Oracle::Oracle(std::span<const Record> log, const EventTypes& types, const EventWeights& weights)
    : types_(types), weights_(weights) {
  for (std::size_t i = 0; i < log.size(); ++i) fold(log[i], i + 1);
}

std::optional<std::uint32_t> Oracle::find(const std::vector<std::string>& ids,
                                          const std::string& id) {
  const auto found = std::find(ids.begin(), ids.end(), id);
  if (id.empty() || found == ids.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - ids.begin());
}

std::uint32_t Oracle::add_user(const std::string& id) {
  if (!user(id)) users.push_back(id);
  return *user(id);
}

std::uint32_t Oracle::add_item(const std::string& id) {
  if (!item(id)) {
    items.push_back(id);
    described.emplace_back();
    available.push_back(true);
  }
  return *item(id);
}

void Oracle::move(const std::string& from, const std::string& to) {
  if (from == to) return;
  History& target = persons_[to];
  const History moved = std::exchange(persons_[from], {});
  target.insert(target.end(), moved.begin(), moved.end());
}

void Oracle::fold(const Record& record, std::uint64_t sequence) {
  const auto payload = as_bytes(record.payload);
  if (record.kind == RecordKind::kEvent) {
    Event event;
    VT_CHECK(decode_event(payload, types_, event).ok());
    fold(event, sequence);
  } else if (record.kind == RecordKind::kItem) {
    const Item put = must(decode_item(payload));
    const std::uint32_t index = add_item(put.id);
    described[index] = put;
    available[index] = put.available;
  } else if (record.kind == RecordKind::kUser) {
    add_user(must(decode_user(payload)).id);
  } else if (record.kind == RecordKind::kEraseItem) {
    if (const auto index = item(record.payload)) {
      described[*index].reset();
      available[*index] = false;
    }
  } else if (record.kind == RecordKind::kEraseUser) {
    if (const auto index = user(record.payload)) {
      persons_.erase(of(*index));
      users[*index].clear();
    }
  } else if (record.kind == RecordKind::kMerge) {
    const Merge merge = must(decode_merge(payload));
    const std::string to = of(add_user(merge.to));
    if (!merge.session.empty())
      move(of(merge.session), to);
    else if (const auto from = user(merge.user))
      move(of(*from), to);
  }
}

void Oracle::fold(const Event& event, std::uint64_t sequence) {
  ++events;
  std::string person = of(event.session);
  if (!event.user.empty()) {
    person = of(add_user(event.user));
    if (!event.session.empty()) move(of(event.session), person);
  }
  const Timestamp time = believable(event);
  if (!event.item.empty()) add_item(event.item);
  if (is_return(event) || event.type == EventType::kRemoveFromCart)
    return take_back(persons_[person], event, time);
  if (event.item.empty() || weight(event.type) == 0) return;
  const float pieces = std::isfinite(event.quantity) ? static_cast<float>(event.quantity) : 1;
  const bool valued = std::isfinite(event.value);
  fold_weight(persons_[person],
              {time, sequence, *item(event.item), event.type,
               valued ? static_cast<float>(event.value) : pieces, pieces, !valued, event.order});
}

void Oracle::fold_weight(History& person, const Done& done) {
  count(person, done.item, -1);
  person.push_back(done);
  count(person, done.item, 1);
}

// Adds what is left of the person's events of an item to the counts, so many times.
void Oracle::count(const History& person, std::uint32_t item, double times) {
  for (const Done& done : seen(person))
    if (done.item == item) counts_.push_back({item, done.time, times});
}

// Pieces come back from the latest purchases (or carts) of the item that are not later; without an
// item, all of the order do.
void Oracle::take_back(History& person, const Event& event, Timestamp time) {
  const EventType type = is_return(event) ? EventType::kPurchase : EventType::kCart;
  float left = std::isnan(event.quantity) ? 1 : static_cast<float>(std::abs(event.quantity));
  std::stable_sort(person.begin(), person.end(), [](const Done& a, const Done& b) {
    return std::pair(a.time, a.sequence) < std::pair(b.time, b.sequence);
  });
  for (std::size_t i = person.size(); i-- > 0;) {
    Done& done = person[i];
    const bool its =
        event.item.empty() ? done.order == event.order : items[done.item] == event.item;
    if (!its || done.type != type || done.time > time) continue;
    const float taken = event.item.empty() ? done.quantity : std::min(left, done.quantity);
    if (!event.item.empty()) left -= taken;
    done.quantity -= taken;
    if (done.counts_pieces) done.value = done.quantity;
    if (done.quantity > 0) continue;
    const std::uint32_t what = done.item;
    count(person, what, -1);
    person.erase(person.begin() + static_cast<std::ptrdiff_t>(i));
    count(person, what, 1);
  }
}

Oracle::History Oracle::seen(const std::string& person) const {
  const auto found = persons_.find(person);
  return found == persons_.end() ? History() : seen(found->second);
}

// Each event of a negative weight takes the latest one of its item before it along. All weights
// here are 1 or -1.
Oracle::History Oracle::seen(History all) const {
  std::stable_sort(all.begin(), all.end(), [](const Done& a, const Done& b) {
    return std::pair(a.time, a.sequence) < std::pair(b.time, b.sequence);
  });
  History left;
  for (const Done& done : all) {
    if (weight(done.type) > 0) {
      left.push_back(done);
      continue;
    }
    const auto last = std::find_if(left.rbegin(), left.rend(),
                                   [&](const Done& other) { return other.item == done.item; });
    if (last != left.rend()) left.erase(std::next(last).base());
  }
  return left;
}

std::map<std::uint32_t, float> Oracle::popular(int days, int hours) const {
  const Timestamp length = hours > 0 ? kDay / 24 : kDay;
  const int wanted = hours > 0 ? hours : days;
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const Count& count : counts_) newest = std::max(newest, floor_of(count.time, length));
  std::map<std::uint32_t, double> sums;
  for (const Count& count : counts_)
    if (wanted == 0 || floor_of(count.time, length) > newest - wanted)
      sums[count.item] += count.weight;
  std::map<std::uint32_t, float> positive;
  for (const auto& [item, sum] : sums)
    if (sum > 0 && available[item]) positive[item] = static_cast<float>(sum);
  return positive;
}

}  // namespace vitrine
