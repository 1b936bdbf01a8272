#include "engine/live_persons.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <vector>

namespace vitrine {
namespace {

using Oracle = std::map<std::uint64_t, std::vector<Kept>>;

Kept any_kept(std::uint32_t order) {
  Kept kept;
  kept.time = *rc::gen::inRange(0, 6);
  kept.order = order;
  kept.item = ItemIndex{*rc::gen::inRange<std::uint32_t>(0, 9)};
  return kept;
}

// Few values of the low half: long runs of slots, and keys that differ in the high half alone.
PersonKey key_of(std::uint64_t number) { return {(number % 5) << 60 | number % 3, number}; }

bool same(std::span<const Kept> a, const std::vector<Kept>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Kept& x, const Kept& y) {
    return x.time == y.time && x.order == y.order && x.item == y.item;
  });
}

void sort(std::vector<Kept>& events) {
  std::stable_sort(events.begin(), events.end(), [](const Kept& a, const Kept& b) {
    return a.time != b.time ? a.time < b.time : a.order < b.order;
  });
}

void step(Persons& persons, Oracle& oracle, std::uint32_t order) {
  const auto number = *rc::gen::inRange<std::uint64_t>(0, 40);
  PersonEntry* entry = persons.find(key_of(number));
  RC_ASSERT((entry != nullptr) == oracle.contains(number));
  if (entry == nullptr) {
    persons.add(key_of(number), oracle[number]);
    return;
  }
  auto& events = oracle[number];
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      persons.drop(*entry);
      oracle.erase(number);
      return;
    case 1:
      if (events.empty()) return;
      {
        const auto i = *rc::gen::inRange<std::size_t>(0, events.size());
        persons.remove(*entry, i);
        events.erase(events.begin() + static_cast<std::ptrdiff_t>(i));
      }
      return;
    case 2:
      persons.keep_latest(*entry, 5);
      if (events.size() > 5) events.erase(events.begin(), events.end() - 5);
      return;
    case 3: {
      std::vector<Kept> others;
      for (std::uint32_t i = 0; i < 3; ++i) others.push_back(any_kept(order + i));
      sort(others);
      persons.merge(*entry, others);
      events.insert(events.end(), others.begin(), others.end());
      return sort(events);
    }
    default:
      const Kept kept = any_kept(order);
      persons.insert(*entry, kept);
      events.push_back(kept);
      sort(events);
  }
}

TEST(Persons, AgreeWithAMap) {
  EXPECT_TRUE(rc::check([] {
    Persons persons;
    Oracle oracle;
    const auto steps = *rc::gen::inRange<std::uint32_t>(0, 500);
    // Sequences run over the end of 32 bits.
    for (std::uint32_t i = 0; i < steps; ++i) step(persons, oracle, 0x7fff'ff00U + 4 * i);
    std::uint64_t events = 0, heap = 0;
    RC_ASSERT(persons.size() == oracle.size());
    for (const auto& [number, kept] : oracle) {
      const PersonEntry* entry = persons.find(key_of(number));
      RC_ASSERT(entry != nullptr);
      RC_ASSERT(same(entry->events(), kept));
      events += kept.size();
      heap += kept_bytes(kept.size());
    }
    RC_ASSERT(persons.events() == events);
    RC_ASSERT(persons.bytes() == heap + kPersonBytes * oracle.size());
  }));
}

}  // namespace
}  // namespace vitrine
