// Splits of given files, sessions held out whole, and what papers do with both.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/readable.h"
#include "data/split_plan.h"

namespace vitrine {
namespace {

// The events that `keep(row, event)` keeps; it may change them.
template <class Keep>
Histories filtered(const Histories& all, const Keep& keep) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  offsets.reserve(all.rows() + 1);
  for (std::size_t r = 0; r < all.rows(); ++r) {
    for (HistoryEvent event : all.row(r)) {
      if (keep(r, event)) events.push_back(event);
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), all.users(), all.items()};
}

// The rows with events that began last, ascending: at least one, `share` of all.
std::vector<std::size_t> latest_rows(const Histories& all, double share) {
  std::vector<std::size_t> rows;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    if (!all.row(r).empty()) rows.push_back(r);
  }
  std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
    return all.row(a).front().time < all.row(b).front().time;
  });
  const auto count = static_cast<std::size_t>(static_cast<double>(rows.size()) * share);
  const std::size_t kept = std::clamp<std::size_t>(count, 1, rows.size());
  rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(kept));
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

Result<Split> split_from_files(const Histories& train, const Histories& test,
                               std::string description) {
  for (std::size_t r = test.users(); r < test.rows(); ++r) {
    if (test.row(r).empty()) continue;
    return split_error(
        "the test file has anonymous sessions, and nothing says whom to ask; give its events "
        "user ids, or ask after every prefix of them (kind=prefixes)");
  }
  Split split(train, std::move(description) + tie_rule(test));
  Truth truth;
  for (std::size_t r = 0; r < test.users(); ++r) {
    const auto row = test.row(r);
    if (row.empty()) continue;
    truth.assign(row);
    const bool known = r < train.users();
    split.add_case({.history = known ? train.row(r) : std::span<const HistoryEvent>{},
                    .truth = truth.items,
                    .user = fitted_user(train, r),
                    .now = row.front().time,
                    .ratings = truth.ratings});
  }
  if (split.cases() == 0) return split_error("the test file has no events");
  return split;
}

Result<Split> prefixes_from_files(const Histories& train, const Histories& test,
                                  std::string description) {
  Split split(train, std::move(description) +
                         ": every prefix of every held-out session asks for the next item" +
                         tie_rule(test));
  std::vector<std::size_t> lengths;
  for (std::size_t r = 0; r < test.rows(); ++r) {
    lengths.clear();
    for (std::size_t n = 1; n < test.row(r).size(); ++n) lengths.push_back(n);
    split.add_prefixes(test.row(r), lengths, std::nullopt);
  }
  if (split.cases() == 0) {
    return split_error("no session of the test file has two events, so nothing can be asked");
  }
  return split;
}

Result<Split> hold_sessions_out(const Histories& all, const SplitOptions& options) {
  const std::vector<std::size_t> held = latest_rows(all, options.test_share);
  Histories train = filtered(all, [&](std::size_t r, const HistoryEvent&) {
    return !std::binary_search(held.begin(), held.end(), r);
  });
  if (train.size() == 0) return split_error("kind=prefixes leaves nothing to fit; hold less out");
  Split split(std::move(train),
              fmt::format("the {} that began last are held out whole, and every prefix asks for "
                          "the next item{}",
                          readable_count(held.size(), "session"), tie_rule(all)));
  const std::vector<std::uint32_t> seen = item_counts(split.train());
  const auto shown_min = static_cast<std::size_t>(std::max(options.events_min, 1));
  std::vector<std::size_t> lengths;
  for (const std::size_t r : held) {
    lengths.clear();
    for (std::size_t n = shown_min; n < all.row(r).size(); ++n) {
      if (options.new_items || seen[raw(all.row(r)[n].item)] > 0)
        lengths.push_back(n);
      else
        split.count_dropped_new_item();
    }
    split.add_prefixes(all.row(r), lengths, std::nullopt);
  }
  VT_TRY(check_asked(split, options));
  return split;
}

Histories without_pairs(const Histories& all, const Histories& test) {
  std::vector<std::vector<ItemIndex>> held(test.users());
  for (std::size_t r = 0; r < test.users(); ++r) {
    for (const HistoryEvent& event : test.row(r)) held[r].push_back(event.item);
    std::sort(held[r].begin(), held[r].end());
  }
  return filtered(all, [&](std::size_t r, const HistoryEvent& event) {
    return r >= all.users() || r >= held.size() ||
           !std::binary_search(held[r].begin(), held[r].end(), event.item);
  });
}

Result<Split> against_given_items(const Split& split,
                                  const std::vector<std::vector<ItemIndex>>& items) {
  Split out(split.train(), split.description() + "; ranked among listed items only");
  std::vector<ItemIndex> against;
  for (std::size_t i = 0; i < split.cases(); ++i) {
    EvaluationCase asked = split[i];
    if (!asked.user || raw(*asked.user) >= items.size() || items[raw(*asked.user)].empty())
      continue;
    against = items[raw(*asked.user)];
    against.insert(against.end(), asked.truth.begin(), asked.truth.end());
    std::sort(against.begin(), against.end());
    against.erase(std::unique(against.begin(), against.end()), against.end());
    asked.against = against;
    out.add_case(asked);
  }
  if (out.cases() == 0) return split_error("no case has listed items to be ranked among");
  return out;
}

Split retrained(const Split& split, Histories train) {
  Split out(std::move(train), split.description());
  for (std::size_t i = 0; i < split.cases(); ++i) {
    EvaluationCase asked = split[i];
    if (asked.user) asked.user = fitted_user(out.train(), raw(*asked.user));
    out.add_case(asked);
  }
  return out;
}

Histories share_of_histories(const Histories& all, double share, std::string_view by,
                             const Random& random) {
  const bool persons = by == "persons";
  std::size_t row = all.rows(), left_out = 0;  // of the row that is being read
  return filtered(all, [&](std::size_t r, const HistoryEvent&) {
    if (persons) return random.uniform(r) < share;
    if (r != row) {
      row = r;
      const double kept = std::ceil(share * static_cast<double>(all.row(r).size()));
      left_out = all.row(r).size() - static_cast<std::size_t>(kept);
    }
    if (left_out == 0) return true;
    --left_out;
    return false;
  });
}

Split with_weights(const Split& split, const EventWeights& weights) {
  const auto keep = [&](HistoryEvent& event) {
    event.weight = weights[static_cast<std::size_t>(event.type)];
    return event.weight > 0;
  };
  Split out(filtered(split.train(), [&](std::size_t, HistoryEvent& event) { return keep(event); }),
            split.description());
  std::vector<HistoryEvent> history;
  for (std::size_t i = 0; i < split.cases(); ++i) {
    EvaluationCase asked = split[i];
    history.clear();
    for (HistoryEvent event : asked.history) {
      if (keep(event)) history.push_back(event);
    }
    asked.history = history;
    if (asked.user) asked.user = fitted_user(out.train(), raw(*asked.user));
    out.add_case(asked);
  }
  return out;
}

}  // namespace vitrine
