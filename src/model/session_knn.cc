#include "model/session_knn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "index/neighbours.h"
#include "index/scratch.h"
#include "index/sums.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

// The distinct items of some events in the order of their last ones, at most the last
// kSessionItemsMax; each with the weight of that event. Items at or beyond `items` and events
// without weight are as if they were not there.
struct SessionItem {
  std::uint32_t item;
  float weight;
};
std::vector<SessionItem> session_of(std::span<const HistoryEvent> events, std::uint32_t items) {
  std::vector<SessionItem> session;
  for (std::size_t e = events.size(); e-- > 0 && session.size() < kSessionItemsMax;) {
    const std::uint32_t item = raw(events[e].item);
    if (item >= items || !(events[e].weight > 0)) continue;
    const auto same = [item](const SessionItem& s) { return s.item == item; };
    if (std::any_of(session.begin(), session.end(), same)) continue;
    session.push_back({item, events[e].weight});
  }
  std::reverse(session.begin(), session.end());
  return session;
}

// Sessions from the earliest to the latest: session s holds items [offsets[s], offsets[s + 1]).
struct Sessions {
  Array<std::uint64_t> offsets;
  Array<std::uint32_t> items;
  std::size_t size() const { return offsets.size() - 1; }
  std::span<const std::uint32_t> row(std::size_t s) const {
    return items.subspan(offsets[s], offsets[s + 1] - offsets[s]);
  }
};

// Item -> the sessions that hold it, the latest first, and its place in each.
struct Postings {
  struct Entry {
    std::uint32_t session, place;
  };
  std::vector<std::uint64_t> offsets;
  std::vector<Entry> entries;
  std::span<const Entry> row(std::uint32_t item) const {
    return std::span(entries).subspan(offsets[item], offsets[item + 1] - offsets[item]);
  }
};

Postings invert(const Sessions& sessions, std::uint32_t items) {
  Postings postings;
  postings.offsets.assign(std::size_t{items} + 1, 0);
  for (const std::uint32_t item : sessions.items) ++postings.offsets[item + 1];
  std::partial_sum(postings.offsets.begin(), postings.offsets.end(), postings.offsets.begin());
  postings.entries.resize(sessions.items.size());
  std::vector<std::uint64_t> next(postings.offsets.begin(), postings.offsets.end() - 1);
  for (std::size_t s = sessions.size(); s-- > 0;) {
    const auto row = sessions.row(s);
    for (std::uint32_t place = 0; place < row.size(); ++place) {
      postings.entries[next[row[place]]++] = {static_cast<std::uint32_t>(s), place};
    }
  }
  return postings;
}

std::vector<float> powers(double base, std::size_t count) {
  std::vector<float> values(count);
  double power = 1;
  for (float& value : values) {
    value = static_cast<float>(power);
    power *= base;
  }
  return values;
}

// A session that shares an item with the one asked about.
struct Match : Neighbour {
  std::uint32_t step, place;  // of the latest common item: from the end of q; in the session
};

// Of one request; kept for the next.
struct Scratch {
  StampedSums sessions, items;
  std::vector<Match> matches;  // in the order of first touch of `sessions`
  std::vector<std::uint32_t> latest;
  std::vector<Neighbour> order;
};

class SessionKnn final : public Model {
 public:
  // `counts`: the number of sessions of each item.
  SessionKnn(SessionKnnOptions options, Sessions sessions, Array<std::uint32_t> counts)
      : options_(std::move(options)),
        items_(static_cast<std::uint32_t>(counts.size())),
        sessions_(std::move(sessions)),
        counts_(std::move(counts)),
        postings_(invert(sessions_, items_)),
        history_decay_(powers(options_.history_decay, kSessionItemsMax)),
        match_decay_(powers(options_.match_decay, kSessionItemsMax)),
        distance_decay_(powers(options_.distance_decay, kSessionItemsMax)) {
    for (std::size_t length = 0; length <= kSessionItemsMax; ++length) {
      const double n = std::max<double>(1, static_cast<double>(length));
      by_length_.push_back(static_cast<float>(std::pow(n, -options_.length_exponent)));
    }
    for (const std::uint32_t sessions_of_item : counts_) {
      const double n = std::max<double>(1, sessions_of_item);
      by_item_.push_back(static_cast<float>(std::pow(n, -options_.target_exponent)));
    }
    const auto count = static_cast<double>(sessions_.size());
    for (std::size_t s = 0; options_.half_life > 0 && s < sessions_.size(); ++s) {
      const double age = (count - 1 - static_cast<double>(s)) / count;
      by_age_.push_back(static_cast<float>(std::exp2(-age / options_.half_life)));
    }
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    const auto scratch = scratch_.lend();
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const StampedSums& sums = vote(queries[q], *scratch);
      out.set_count(q, top_of_sums(sums, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    const auto scratch = scratch_.lend();
    const StampedSums& sums = vote(query, *scratch);
    for (std::size_t i = 0; i < items.size(); ++i) scores[i] = sums.sum(raw(items[i]));
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, items_);
    writer.tensor("sessions/offsets", sessions_.offsets);
    writer.tensor("sessions/items", sessions_.items);
    writer.tensor("counts", counts_);
  }

 private:
  // The scores of all items that a neighbour holds.
  const StampedSums& vote(const Query& query, Scratch& s) const {
    s.items.begin(items_);
    find_sessions(asked_about(query), s);
    keep_latest(s);
    weigh(s);
    keep_nearest(s.matches, static_cast<std::size_t>(options_.neighbours), s.order);
    for (const Match& match : s.matches) add_votes(match, s.items);
    return s.items;
  }

  std::vector<SessionItem> asked_about(const Query& query) const {
    auto events = query.history;
    if (options_.sessions == "groups") {
      const auto known = [this](const HistoryEvent& e) { return raw(e.item) < items_; };
      const auto last = std::find_if(events.rbegin(), events.rend(), known);
      if (last == events.rend()) return {};
      const auto other = [&](const HistoryEvent& e) { return known(e) && e.group != last->group; };
      const auto before = std::find_if(last, events.rend(), other);
      events = events.last(static_cast<std::size_t>(before - events.rbegin()));
    }
    return session_of(events, items_);
  }

  // The sessions with a common item, from the end of q, so that the first touch of a session is its
  // latest common item. Of each item the `sample` latest: no other can be among the latest of all.
  void find_sessions(std::span<const SessionItem> asked, Scratch& s) const {
    s.sessions.begin(sessions_.size());
    s.matches.clear();
    const auto sample = static_cast<std::size_t>(options_.sample);
    for (std::size_t step = 0; step < asked.size(); ++step) {
      const SessionItem& common = asked[asked.size() - 1 - step];
      const float weight = common.weight * history_decay_[step];
      const auto entries = postings_.row(common.item);
      for (const Postings::Entry& e : entries.first(std::min(entries.size(), sample))) {
        if (s.sessions.add(e.session, weight)) {
          s.matches.push_back({{e.session, 0}, static_cast<std::uint32_t>(step), e.place});
        }
      }
    }
  }

  // Drops all but the `sample` latest. An item's entries beyond its own `sample` latest were not
  // visited, and belong to sessions that are dropped here.
  void keep_latest(Scratch& s) const {
    const auto sample = static_cast<std::size_t>(options_.sample);
    if (s.matches.size() <= sample) return;
    s.latest.assign(s.sessions.touched().begin(), s.sessions.touched().end());
    const auto last = s.latest.begin() + static_cast<std::ptrdiff_t>(sample - 1);
    std::nth_element(s.latest.begin(), last, s.latest.end(), std::greater<>());
    const std::uint32_t earliest = *last;
    std::erase_if(s.matches, [&](const Match& m) { return m.id < earliest; });
  }

  void weigh(Scratch& s) const {
    for (Match& m : s.matches) {
      m.similarity = s.sessions.sum(m.id) * by_length_[sessions_.row(m.id).size()];
      if (!by_age_.empty()) m.similarity *= by_age_[m.id];
    }
  }

  void add_votes(const Match& match, StampedSums& sums) const {
    const auto row = sessions_.row(match.id);
    const float weight = match.similarity * match_decay_[match.step];
    for (std::uint32_t place = 0; place < row.size(); ++place) {
      const bool before = place < match.place;
      float vote = weight * distance_decay_[before ? match.place - place : place - match.place];
      if (before) vote *= static_cast<float>(options_.backward);
      sums.add(row[place], vote * by_item_[row[place]]);
    }
  }

  SessionKnnOptions options_;
  std::uint32_t items_;
  Sessions sessions_;
  Array<std::uint32_t> counts_;
  Postings postings_;
  std::vector<float> history_decay_, match_decay_, distance_decay_;  // by steps
  std::vector<float> by_length_, by_item_, by_age_;
  mutable ScratchPool<Scratch> scratch_;
};

Status check(const Sessions& sessions, std::uint32_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("sessions: ") + what};
  };
  if (sessions.offsets.empty() || sessions.offsets[0] != 0 ||
      sessions.offsets[sessions.size()] != sessions.items.size() ||
      sessions.size() >= std::numeric_limits<std::uint32_t>::max()) {
    return corrupt("offsets must span the items");
  }
  for (std::size_t s = 0; s < sessions.size(); ++s) {
    if (sessions.offsets[s] > sessions.offsets[s + 1] ||
        sessions.offsets[s + 1] > sessions.items.size()) {
      return corrupt("offsets must rise");
    }
    if (sessions.offsets[s + 1] - sessions.offsets[s] > kSessionItemsMax) {
      return corrupt("a session is too long");
    }
  }
  const auto beyond = [items](std::uint32_t item) { return item >= items; };
  if (std::any_of(sessions.items.begin(), sessions.items.end(), beyond)) {
    return corrupt("an item is beyond the items");
  }
  return {};
}

// A session of the histories, and when it ended.
struct Part {
  std::span<const HistoryEvent> events;
  Timestamp end;
};

std::vector<Part> parts_of(const Histories& histories, bool whole) {
  std::vector<Part> parts;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    for (std::size_t begin = 0, end = 0; begin < row.size(); begin = end) {
      end = begin + 1;
      while (end < row.size() && (whole || row[end].group == row[begin].group)) ++end;
      parts.push_back({row.subspan(begin, end - begin), row[end - 1].time});
    }
  }
  const auto earlier = [](const Part& a, const Part& b) { return a.end < b.end; };
  std::stable_sort(parts.begin(), parts.end(), earlier);
  return parts;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_session_knn(const Run& run,
                                                     const SessionKnnOptions& options,
                                                     const TrainingSet& set) {
  const std::vector<Part> parts = parts_of(set.histories, options.sessions == "histories");
  Stage stage(run.monitor, SessionKnnOptions::kName, parts.size(), "sessions");
  constexpr std::size_t kBetweenAdvances = 65'536;
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> items, counts(set.histories.items());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (p % kBetweenAdvances == 0) VT_TRY(stage.proceed(p));
    for (const SessionItem& s : session_of(parts[p].events, set.histories.items())) {
      items.push_back(s.item);
      ++counts[s.item];
    }
    if (items.size() > offsets.back()) offsets.push_back(items.size());
  }
  VT_TRY(stage.proceed(parts.size()));
  Sessions sessions{std::move(offsets), std::move(items)};
  return std::make_unique<const SessionKnn>(options, std::move(sessions), std::move(counts));
}

Result<std::unique_ptr<const Model>> load_session_knn(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<SessionKnnOptions>(reader));
  Sessions sessions;
  VT_TRY(sessions.offsets, reader.tensor<std::uint64_t>("sessions/offsets"));
  VT_TRY(sessions.items, reader.tensor<std::uint32_t>("sessions/items"));
  VT_TRY(auto counts, reader.tensor<std::uint32_t>("counts"));
  if (counts.size() != saved.second) {
    return Error{Code::kCorrupt, "session_knn needs one count per item"};
  }
  VT_TRY(check(sessions, saved.second));
  return std::make_unique<const SessionKnn>(std::move(saved.first), std::move(sessions),
                                            std::move(counts));
}

}  // namespace vitrine
