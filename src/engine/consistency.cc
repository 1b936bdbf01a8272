#include "engine/consistency.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "data/event.h"
#include "engine/shown.h"
#include "engine/state.h"

namespace vitrine {
namespace {

std::string person_of(std::string_view user, std::string_view session) {
  return user.empty() ? "s" + std::string(session) : "u" + std::string(user);
}

std::size_t depth(std::span<const std::string> a, std::span<const std::string> b, int n) {
  return std::min(static_cast<std::size_t>(n), std::max(a.size(), b.size()));
}

// Where in the log each of some persons has events, ascending.
using EventPlaces = std::unordered_map<std::string, std::vector<std::uint64_t>>;

Status find_events(const EventLog& log, const EventTypes& types, std::uint64_t from,
                   EventPlaces& places) {
  Event event;
  return log.read(from, [&](const LogRecord& record) -> Status {
    if (record.kind != RecordKind::kEvent) return {};
    VT_TRY(decode_event(record.payload, types, event));
    const auto found = places.find(person_of(event.user, event.session));
    if (found != places.end()) found->second.push_back(record.sequence);
    return {};
  });
}

bool any_within(const std::vector<std::uint64_t>& places, std::uint64_t after,
                std::uint64_t until) {
  const auto next = std::upper_bound(places.begin(), places.end(), after);
  return next != places.end() && *next <= until;
}

// Sums of pairs, by placement, whether a training and whether an event lay between.
class Pairs {
 public:
  explicit Pairs(const ConsistencyOptions& options) : options_(options) {}

  void add(const Shown& before, const Shown& after, bool new_events) {
    const bool same_snapshot = before.snapshot == after.snapshot;
    ConsistencyRow& row = rows_[{before.request.placement, !same_snapshot, new_events}];
    row.placement = before.request.placement;
    row.same_snapshot = same_snapshot;
    row.new_events = new_events;
    ++row.pairs;
    row.overlap += overlap_at(before.items, after.items, options_.n);
    row.rbo += rank_biased_overlap(before.items, after.items, options_.n, options_.persistence);
    row.identical += before.items == after.items ? 1 : 0;
  }

  std::vector<ConsistencyRow> means() const {
    std::vector<ConsistencyRow> means;
    for (const auto& [key, sums] : rows_) {
      ConsistencyRow& row = means.emplace_back(sums);
      for (double* sum : {&row.overlap, &row.rbo, &row.identical})
        *sum /= static_cast<double>(row.pairs);
    }
    return means;
  }

 private:
  const ConsistencyOptions& options_;
  std::map<std::tuple<std::string, bool, bool>, ConsistencyRow> rows_;
};

}  // namespace

double overlap_at(std::span<const std::string> a, std::span<const std::string> b, int n) {
  const std::size_t k = depth(a, b, n);
  if (k == 0) return 1;
  const auto first = a.first(std::min(k, a.size()));
  const std::unordered_set<std::string_view> had(first.begin(), first.end());
  std::size_t both = 0;
  for (const std::string& item : b.first(std::min(k, b.size()))) both += had.count(item);
  return static_cast<double>(both) / static_cast<double>(k);
}

double rank_biased_overlap(std::span<const std::string> a, std::span<const std::string> b, int n,
                           double persistence) {
  const std::size_t k = depth(a, b, n);
  if (k == 0) return 1;
  std::unordered_set<std::string_view> in_a, in_b;
  std::size_t both = 0;
  double sum = 0, weight = 1, agreement = 0;
  for (std::size_t d = 0; d < k; ++d) {
    if (d < a.size() && in_a.insert(a[d]).second) both += in_b.count(a[d]);
    if (d < b.size() && in_b.insert(b[d]).second) both += in_a.count(b[d]);
    agreement = static_cast<double>(both) / static_cast<double>(d + 1);
    sum += weight * agreement;
    weight *= persistence;
  }
  return agreement * weight + (1 - persistence) * sum;
}

Result<ConsistencyReport> Engine::consistency(const Run&, const ConsistencyOptions& options,
                                              const std::string& slates) const {
  const std::string folder = slates.empty() ? state_->folder + "/slates" : slates;
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(const std::vector<Shown> lists, read_shown(state_->files, folder));
  if (lists.empty()) {
    return Error{Code::kNotFound, folder + ": holds no list; serve some requests first"};
  }
  EventPlaces places;
  for (const Shown& shown : lists) places[person_of(shown.request.user, shown.request.session)];
  VT_TRY(find_events(*log, state_->types, std::max(log->first_sequence(), lists.front().sequence),
                     places));
  Pairs pairs(options);
  std::map<std::tuple<std::string, std::string, std::string>, const Shown*> latest;
  for (const Shown& shown : lists) {
    const std::string person = person_of(shown.request.user, shown.request.session);
    const Shown*& before = latest[{person, shown.request.placement, shown.request.item}];
    if (before != nullptr) {
      pairs.add(*before, shown, any_within(places[person], before->sequence, shown.sequence));
    }
    before = &shown;
  }
  return ConsistencyReport{options,      lists.front().time, lists.back().time,
                           lists.size(), places.size(),      pairs.means()};
}

Value ConsistencyReport::to_json() const {
  List all;
  for (const ConsistencyRow& row : rows) {
    all.push_back(Table{{"placement", row.placement},
                        {"same_snapshot", row.same_snapshot},
                        {"new_events", row.new_events},
                        {"pairs", row.pairs},
                        {"overlap", row.overlap},
                        {"rbo", row.rbo},
                        {"identical", row.identical}});
  }
  return Table{{"n", options.n},        {"persistence", options.persistence},
               {"first", first},        {"last", last},
               {"lists", lists},        {"persons", persons},
               {"rows", std::move(all)}};
}

}  // namespace vitrine
