#include "model/session_knn.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;

// Distinct items in the order of their last events, with the weight of those.
using Session = std::vector<std::pair<std::uint32_t, double>>;
Session session_of(std::span<const HistoryEvent> events) {
  Session session;
  for (const HistoryEvent& event : events) {
    std::erase_if(session, [&](const auto& s) { return s.first == raw(event.item); });
    session.emplace_back(raw(event.item), event.weight);
  }
  return session;
}

int place_in(const Session& session, std::uint32_t item) {
  for (std::size_t place = 0; place < session.size(); ++place) {
    if (session[place].first == item) return static_cast<int>(place);
  }
  return -1;
}

std::vector<std::span<const HistoryEvent>> groups_of(std::span<const HistoryEvent> row) {
  std::vector<std::span<const HistoryEvent>> groups;
  for (std::size_t begin = 0, e = 1; e <= row.size(); ++e) {
    if (e < row.size() && row[e].group == row[begin].group) continue;
    groups.push_back(row.subspan(begin, e - begin));
    begin = e;
  }
  return groups;
}

// From the earliest to the latest.
std::vector<Session> sessions_of(const Histories& histories, const SessionKnnOptions& options) {
  std::multimap<Timestamp, Session> by_time;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    if (row.empty()) continue;
    if (options.sessions == "histories") by_time.emplace(row.back().time, session_of(row));
    if (options.sessions == "histories") continue;
    for (const auto group : groups_of(row)) {
      by_time.emplace(group.back().time, session_of(group));
    }
  }
  std::vector<Session> sessions;
  for (auto& [time, session] : by_time) sessions.push_back(std::move(session));
  return sessions;
}

struct Vote {
  double similarity = 0;
  int step = 0;   // from the end of q to the latest common item
  int place = 0;  // of that in the session
};

Vote compare(const Session& asked, const Session& past, double age, const SessionKnnOptions& o) {
  Vote vote;
  for (std::size_t p = 0; p < asked.size(); ++p) {
    const int place = place_in(past, asked[p].first);
    if (place < 0) continue;
    vote.step = static_cast<int>(asked.size() - 1 - p);
    vote.place = place;
    vote.similarity += asked[p].second * std::pow(o.history_decay, vote.step);
  }
  vote.similarity *= std::pow(past.size(), -o.length_exponent);
  if (o.half_life > 0) vote.similarity *= std::exp2(-age / o.half_life);
  return vote;
}

// The formula of the header, every session compared.
std::vector<double> slow_scores(const std::vector<Session>& sessions, const Session& asked,
                                std::uint32_t items, const SessionKnnOptions& o) {
  std::vector<std::pair<const Session*, Vote>> voters;
  for (std::size_t s = sessions.size(); s-- > 0;) {
    const auto count = static_cast<double>(sessions.size());
    const double age = (count - 1 - static_cast<double>(s)) / count;
    const bool common = std::any_of(asked.begin(), asked.end(), [&](const auto& a) {
      return place_in(sessions[s], a.first) >= 0;
    });
    if (common && voters.size() < static_cast<std::size_t>(o.sample)) {
      voters.emplace_back(&sessions[s], compare(asked, sessions[s], age, o));
    }
  }
  const auto more = [](const auto& a, const auto& b) {
    return a.second.similarity > b.second.similarity * (1 + 1e-6);
  };
  std::stable_sort(voters.begin(), voters.end(), more);  // of equal ones the latest
  voters.resize(std::min(voters.size(), static_cast<std::size_t>(o.neighbours)));
  std::vector<double> scores(items);
  for (const auto& [past, vote] : voters) {
    for (std::size_t place = 0; place < past->size(); ++place) {
      const int distance = static_cast<int>(place) - vote.place;
      double weight = vote.similarity * std::pow(o.match_decay, vote.step) *
                      std::pow(o.distance_decay, std::abs(distance));
      if (distance < 0) weight *= o.backward;
      scores[(*past)[place].first] += weight;
    }
  }
  for (std::uint32_t j = 0; j < items; ++j) {
    const auto holds = [j](const Session& s) { return place_in(s, j) >= 0; };
    const auto n = std::count_if(sessions.begin(), sessions.end(), holds);
    if (n > 0) scores[j] *= std::pow(static_cast<double>(n), -o.target_exponent);
  }
  return scores;
}

SessionKnnOptions arbitrary_options() {
  SessionKnnOptions o;
  o.sessions = *rc::gen::element<std::string>("groups", "histories");
  o.neighbours = *rc::gen::element(1, 3, 500);
  o.sample = *rc::gen::element(1, 2, 4, 5000);
  o.history_decay = *rc::gen::element(1.0, 0.7, 0.0);
  o.length_exponent = *rc::gen::element(0.0, 0.5, 1.0);
  o.half_life = *rc::gen::element(0.0, 0.37);
  o.match_decay = *rc::gen::element(1.0, 0.6);
  o.distance_decay = *rc::gen::element(1.0, 0.8, 0.0);
  o.backward = *rc::gen::element(1.0, 0.5, 0.0);
  o.target_exponent = *rc::gen::element(0.0, 0.5);
  return o;
}

TEST(SessionKnn, IsTheFormulaOverAllSessions) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const SessionKnnOptions options = arbitrary_options();
    const auto model = fit_on(fit_session_knn, options, histories);
    const auto sessions = sessions_of(histories, options);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      const auto row = histories.row(r);
      if (row.empty()) continue;
      const Session asked = session_of(options.sessions == "groups" ? groups_of(row).back() : row);
      const auto expected = slow_scores(sessions, asked, histories.items(), options);
      const auto scores = scores_of(*model, row, histories.items());
      for (std::size_t j = 0; j < expected.size(); ++j) RC_ASSERT(near(scores[j], expected[j]));
    }
  }));
}

TEST(SessionKnn, AVisitorWhoCameAfterTrainingIsAnsweredFromTheLastSession) {
  // 0 1 2 three times, 3 4 once.
  const std::vector<HistoryEvent> often{event_of(0), event_of(1), event_of(2)};
  const Histories histories =
      make_histories({often, often, often, {event_of(3), event_of(4)}}, 0, 5);
  const auto model = fit_on(fit_session_knn, SessionKnnOptions{}, histories);
  std::vector<HistoryEvent> history{event_of(0), event_of(3)};
  history[1].group = 1;  // a session later
  const auto scores = scores_of(*model, history, 5);
  EXPECT_GT(scores[4], 0);
  EXPECT_EQ(scores[1], 0);
}

TEST(SessionKnn, AnEndlessSessionCountsWithItsLastItems) {
  std::vector<HistoryEvent> endless;
  for (std::uint32_t i = 0; i < kSessionItemsMax + 3; ++i) endless.push_back(event_of(i));
  const auto items = static_cast<std::uint32_t>(endless.size());
  const auto model =
      fit_on(fit_session_knn, SessionKnnOptions{}, make_histories({endless}, 0, items));
  const HistoryEvent last = event_of(items - 1);
  const auto scores = scores_of(*model, std::span(&last, 1), items);
  EXPECT_EQ(scores[2], 0);
  EXPECT_GT(scores[3], 0);
}

}  // namespace
}  // namespace vitrine
