// Histories and runs for tests, of this module and those above.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/run.h"
#include "data/histories.h"

namespace vitrine::testing {

// A pool, a monitor that watches nothing, and a seed.
struct QuietRun {
  ThreadPool pool;
  QuietMonitor monitor;
  Run run;
  explicit QuietRun(int threads = 2, std::uint64_t seed = 1)
      : pool(threads), run{Random(seed), pool, monitor} {}
  operator const Run&() const { return run; }  // NOLINT: implicit
};

// Rows as they stand: users first, then anonymous sessions.
inline Histories make_histories(const std::vector<std::vector<HistoryEvent>>& rows,
                                std::uint32_t users, std::uint32_t items) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (const auto& row : rows) {
    events.insert(events.end(), row.begin(), row.end());
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), users, items};
}

// Up to 12 persons with up to 9 events on 8 items; times collide often; some events, and all of
// about a third of the histories, have none.
inline Histories arbitrary_histories() {
  const bool timed = *rc::gen::weightedElement<bool>({{2, true}, {1, false}});
  const auto persons = *rc::gen::inRange<std::uint32_t>(1, 13);
  const auto users = *rc::gen::inRange<std::uint32_t>(0, persons + 1);
  std::vector<std::vector<HistoryEvent>> rows(persons);
  for (auto& row : rows) {
    row.resize(*rc::gen::inRange<std::size_t>(0, 10));
    std::size_t untimed =
        timed ? *rc::gen::weightedElement<std::size_t>({{6, 0}, {1, 1}, {1, 5}}) : row.size();
    Timestamp time = *rc::gen::inRange<Timestamp>(0, 20);
    std::uint32_t group = 0;
    for (HistoryEvent& event : row) {
      event.item = ItemIndex{*rc::gen::inRange<std::uint32_t>(0, 8)};
      event.weight = static_cast<float>(*rc::gen::inRange(1, 9)) / 4;
      if (untimed > 0)
        --untimed;
      else
        event.time = (time += *rc::gen::inRange<Timestamp>(0, 3)) * kDay;
      event.group = group += *rc::gen::inRange<std::uint32_t>(0, 2);
    }
    if (!row.empty()) {
      const std::uint32_t first = row.front().group;
      for (HistoryEvent& event : row) event.group -= first;
    }
  }
  return make_histories(rows, users, 8);
}

}  // namespace vitrine::testing
