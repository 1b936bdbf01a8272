#include "data/histories.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

namespace vitrine {
std::size_t take_interest_back(std::span<HistoryEvent> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i].weight >= 0) continue;
    float left = -row[i].weight;
    for (std::size_t j = i; j-- > 0 && left > 0;) {
      if (row[j].item != row[i].item || !(row[j].weight > 0)) continue;
      const float taken = std::min(left, row[j].weight);
      row[j].weight -= taken;
      left -= taken;
    }
  }
  const auto end = std::remove_if(row.begin(), row.end(),
                                  [](const HistoryEvent& event) { return !(event.weight > 0); });
  return static_cast<std::size_t>(end - row.begin());
}

namespace {

constexpr std::uint32_t kNone = EventTable::kNone;
constexpr float kWeightMax = 1e6f;    // sums over all events stay finite
constexpr double kHalfLifeMax = 1e5;  // days

using Weights = EventWeights;

Weights default_weights() {
  Weights weights;
  weights.fill(1);
  for (const EventType type :
       {EventType::kImpression, EventType::kReturn, EventType::kSearch, EventType::kRemoveFromCart})
    weights[static_cast<std::size_t>(type)] = 0;
  for (const EventType type : {EventType::kDislike, EventType::kHide, EventType::kReport})
    weights[static_cast<std::size_t>(type)] = -1;
  return weights;
}

// The history row of every kept event, kNone for those that have no place in one.
struct Placement {
  std::vector<std::uint32_t> row_of;  // parallel to view.rows
  std::size_t rows = 0;
};

Placement place(const EventTable& events, const CleanView& view, std::uint32_t users,
                const Weights& weights) {
  Placement placement;
  placement.row_of.resize(view.rows.size(), kNone);
  std::vector<std::uint32_t> session_row(events.sessions.size(), kNone);
  std::uint32_t rows = users;
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    const std::uint32_t e = view.rows[i];
    if (events.item[e] == kNoItem || weights[static_cast<std::size_t>(events.type[e])] == 0)
      continue;
    if (events.user[e] != kNoUser) {
      placement.row_of[i] = raw(events.user[e]);
    } else if (events.session[e] != kNone) {
      std::uint32_t& row = session_row[events.session[e]];
      if (row == kNone) row = rows++;
      placement.row_of[i] = row;
    }
  }
  placement.rows = rows;
  return placement;
}

// What joins neighbours: an id, or kNone where the gap decides.
const std::vector<std::uint32_t>* group_ids(const EventTable& events, const std::string& group_by) {
  if (group_by == "order") return &events.order;
  if (group_by == "session") return &events.session;
  return nullptr;
}

HistoryEvent history_event(const EventTable& events, const CleanView& view, std::size_t i,
                           const Weights& weights, const std::vector<std::uint32_t>* ids) {
  const std::uint32_t e = view.rows[i];
  HistoryEvent event;
  event.item = events.item[e];
  event.type = events.type[e];
  event.weight = weights[static_cast<std::size_t>(event.type)];
  event.time = events.time[e];
  if (std::isfinite(events.value[e]))
    event.value = events.value[e];
  else if (std::isfinite(view.quantity[i]))
    event.value = view.quantity[i];
  event.group = ids ? (*ids)[e] : kNone;  // renumbered once the row is in order
  return event;
}

// Orders one row by time and numbers its groups; `group` holds the group's id until then. How many
// events remain of it.
std::size_t finish_row(std::span<HistoryEvent> row, std::uint64_t gap) {
  const auto earlier = [](const HistoryEvent& a, const HistoryEvent& b) { return a.time < b.time; };
  if (!std::is_sorted(row.begin(), row.end(), earlier)) {
    std::stable_sort(row.begin(), row.end(), earlier);
  }
  row = row.first(take_interest_back(row));
  std::uint32_t number = 0, id_before = kNone;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::uint32_t id = row[i].group;
    if (i > 0) {
      const bool timed = row[i - 1].time != kNoTime;  // then so is row[i]
      // Unsigned, for the distance of two extreme times overflows the signed type.
      const std::uint64_t pause =
          static_cast<std::uint64_t>(row[i].time) - static_cast<std::uint64_t>(row[i - 1].time);
      const bool joined = id == id_before && (id != kNone || (timed && pause <= gap));
      if (!joined) ++number;
    }
    id_before = id;
    row[i].group = number;
  }
  return row.size();
}

// Closes the holes behind rows that lost events.
void close_up(std::vector<HistoryEvent>& events, std::vector<std::uint64_t>& offsets,
              const std::vector<std::uint64_t>& sizes) {
  std::uint64_t end = 0;
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(offsets[r]);
    if (end != offsets[r]) {
      std::copy_n(begin, static_cast<std::ptrdiff_t>(sizes[r]),
                  events.begin() + static_cast<std::ptrdiff_t>(end));
    }
    offsets[r] = end;
    end += sizes[r];
  }
  offsets[sizes.size()] = end;
  events.resize(end);
}

}  // namespace

Histories::Histories(Array<std::uint64_t> offsets, Array<HistoryEvent> events, std::uint32_t users,
                     std::uint32_t items)
    : offsets_(std::move(offsets)), events_(std::move(events)), users_(users), items_(items) {
  VT_CHECK(rows() >= users_ && (offsets_.empty() ? 0 : offsets_[rows()]) == events_.size());
  for (const HistoryEvent& event : events_) {
    VT_CHECK(raw(event.item) < items_);
    last_time_ = std::max(last_time_, event.time);
  }
}

std::vector<std::uint32_t> item_counts(const Histories& histories) {
  std::vector<std::uint32_t> counts(histories.items()), last_row(histories.items(), kNone);
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    for (const HistoryEvent& event : histories.row(r)) {
      std::uint32_t& seen = last_row[raw(event.item)];
      if (seen == static_cast<std::uint32_t>(r)) continue;
      seen = static_cast<std::uint32_t>(r);
      ++counts[raw(event.item)];
    }
  }
  return counts;
}

namespace {

// "type=number" entries, each type once.
struct TypeNumber {
  EventType type;
  double number;
  std::string where;  // names the entry in a message
};

Result<std::vector<TypeNumber>> type_numbers(const std::vector<std::string>& entries,
                                             const EventTypes& types, std::string_view option,
                                             std::string_view example) {
  std::vector<TypeNumber> numbers;
  for (const std::string& text : entries) {
    const std::string where = fmt::format("{}: \"{}\"", option, text);
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return Error{Code::kInvalid, fmt::format("{} is not of the form {}", where, example)};
    }
    auto type = types.find(std::string_view(text).substr(0, equals));
    if (!type.ok()) return type.error().prefixed(where);
    double number = std::numeric_limits<double>::quiet_NaN();
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + equals + 1, end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      number = std::numeric_limits<double>::quiet_NaN();
    for (const TypeNumber& other : numbers) {
      if (other.type == *type)
        return Error{Code::kInvalid, where + ": this type has an entry already"};
    }
    numbers.push_back({*type, number, where});
  }
  return numbers;
}

}  // namespace

Result<EventWeights> event_weights(const HistoryOptions& options, const EventTypes& types) {
  Weights weights = default_weights();
  VT_TRY(const auto numbers,
         type_numbers(options.weights, types, "weights", "type=weight, as in \"view=0.2\""));
  for (const auto& [type, number, where] : numbers) {
    if (!(std::abs(number) <= kWeightMax)) {
      return Error{Code::kInvalid,
                   where + ": the weight must be a number from -1,000,000 to 1,000,000"};
    }
    const bool outside = type == EventType::kReturn || type == EventType::kSearch ||
                         type == EventType::kRemoveFromCart;
    if (outside && number != 0) {
      return Error{Code::kInvalid,
                   where +
                       ": returns, removals from a cart and searches never enter histories (the "
                       "first two reduce what they undo); leave it out"};
    }
    weights[static_cast<std::size_t>(type)] = static_cast<float>(number);
  }
  return weights;
}

Status InteractionOptions::resolve(const EventTypes& types) {
  type_half_lives.clear();
  if (half_lives.empty()) return {};
  VT_TRY(const auto numbers,
         type_numbers(half_lives, types, "half_lives", "type=days, as in \"view=7\""));
  type_half_lives.assign(types.size(), half_life_days);
  for (const auto& [type, days, where] : numbers) {
    if (!(days >= 0 && days <= kHalfLifeMax)) {
      return Error{Code::kInvalid, where + ": the days must be a number from 0 to 100,000"};
    }
    type_half_lives[static_cast<std::size_t>(type)] = days;
  }
  return {};
}

Result<Histories> build_histories(const Run& run, const EventTable& events, const CleanView& view,
                                  const Vocabulary& vocabulary, const EventTypes& types,
                                  const HistoryOptions& options) {
  VT_TRY(const Weights weights, event_weights(options, types));
  VT_CHECK(view.quantity.size() == view.rows.size());
  Stage stage(run.monitor, "histories", view.rows.size(), "events");
  const Placement placement = place(events, view, vocabulary.users.size(), weights);

  std::vector<std::uint64_t> offsets(placement.rows + 1);
  for (const std::uint32_t row : placement.row_of) {
    if (row != kNone) ++offsets[row + 1];
  }
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());

  std::vector<HistoryEvent> ordered(offsets.back());
  std::vector<std::uint64_t> next(offsets.begin(), offsets.end() - 1);
  const std::vector<std::uint32_t>* ids = group_ids(events, options.group_by);
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    const std::uint32_t row = placement.row_of[i];
    if (row != kNone) ordered[next[row]++] = history_event(events, view, i, weights, ids);
  }
  VT_TRY(stage.proceed(view.rows.size()));

  std::vector<std::uint64_t> sizes(placement.rows);
  const auto gap = static_cast<std::uint64_t>(options.session_gap_minutes * 60.0 * kSecond);
  parallel_for(
      run.pool, static_cast<std::int64_t>(placement.rows), 1024,
      [&](std::int64_t begin, std::int64_t end) {
        for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
          sizes[r] =
              finish_row(std::span(ordered).subspan(offsets[r], offsets[r + 1] - offsets[r]), gap);
        }
      });
  close_up(ordered, offsets, sizes);
  return Histories(std::move(offsets), std::move(ordered), vocabulary.users.size(),
                   vocabulary.items.size());
}

}  // namespace vitrine
