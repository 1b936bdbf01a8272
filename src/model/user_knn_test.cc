#include "model/user_knn.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;
using Cells = std::vector<double>;

Cells cells_of(std::span<const HistoryEvent> row, std::uint32_t items) {
  Cells x(items);
  for (const HistoryEvent& e : row) x[raw(e.item)] = std::max(x[raw(e.item)], double{e.weight});
  return x;
}

// Persons with events, those active last first.
std::vector<Cells> persons_of(const Histories& histories) {
  std::vector<std::pair<Timestamp, Cells>> persons;
  for (std::size_t r = histories.rows(); r-- > 0;) {
    const auto row = histories.row(r);
    if (row.empty()) continue;
    persons.emplace_back(row.back().time, cells_of(row, histories.items()));
  }
  std::stable_sort(persons.begin(), persons.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Cells> cells;
  for (auto& person : persons) cells.push_back(std::move(person.second));
  return cells;
}

struct Voter {
  const Cells* cells;
  double similarity;
};

// The formula of the header, everybody compared.
Cells slow_scores(const std::vector<Cells>& persons, const Cells& asked, const UserKnnOptions& o) {
  const std::size_t items = asked.size();
  Cells n(items), scores(items);
  for (const Cells& x : persons) {
    for (std::size_t i = 0; i < items; ++i) n[i] += x[i] > 0;
  }
  const auto product = [&](const Cells& a, const Cells& b) {
    double sum = 0;
    for (std::size_t i = 0; i < items; ++i) {
      if (n[i] > 0) sum += std::pow(n[i], -o.item_exponent) * a[i] * b[i];
    }
    return sum;
  };
  std::vector<Voter> voters;
  for (const Cells& x : persons) {
    const double c = product(asked, x), q = product(asked, asked), u = product(x, x);
    double s = c;
    if (o.similarity == "cosine") s /= std::sqrt(q) * std::pow(u, o.person_exponent) + o.shrinkage;
    if (o.similarity == "jaccard") s /= q + u - c + o.shrinkage;
    if (c > 0) voters.push_back({&x, s});
  }
  std::stable_sort(voters.begin(), voters.end(), [](const Voter& a, const Voter& b) {
    return a.similarity > b.similarity * (1 + 1e-6);
  });
  voters.resize(std::min(voters.size(), static_cast<std::size_t>(o.neighbours)));
  for (const Voter& voter : voters) {
    for (std::size_t j = 0; j < items; ++j) {
      if ((*voter.cells)[j] == 0) continue;
      const double relative = voter.similarity / voters[0].similarity;
      scores[j] += voter.similarity * std::pow(relative, o.amplification - 1) * (*voter.cells)[j] *
                   std::pow(n[j], -o.target_exponent);
    }
  }
  return scores;
}

TEST(UserKnn, IsTheFormulaOverAllPersons) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    UserKnnOptions o;
    o.similarity = *rc::gen::element<std::string>("cosine", "jaccard", "cooccurrence");
    o.neighbours = *rc::gen::element(1, 3, 200);
    o.person_exponent = *rc::gen::element(0.0, 0.5, 0.7);
    o.item_exponent = *rc::gen::element(0.0, 0.5);
    o.target_exponent = *rc::gen::element(0.0, 0.3);
    o.shrinkage = *rc::gen::element(0.0, 2.0);
    o.amplification = *rc::gen::element(0.5, 1.0, 1.5);
    const auto model = fit_on(fit_user_knn, o, histories);
    const std::vector<Cells> persons = persons_of(histories);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      const auto scores = scores_of(*model, histories.row(r), histories.items());
      const Cells expected = slow_scores(persons, cells_of(histories.row(r), 8), o);
      for (std::size_t j = 0; j < expected.size(); ++j) RC_ASSERT(near(scores[j], expected[j]));
    }
  }));
}

// Similarities of 1e12 and of 1e-12, to the tenth power.
TEST(UserKnn, AmplifiesWhateverTheWeights) {
  for (const float weight : {1e-6f, 1e6f}) {
    const auto event = [weight](std::uint32_t item) { return event_of(item, weight); };
    UserKnnOptions options;
    options.similarity = "cooccurrence";
    options.item_exponent = options.target_exponent = 0;
    options.amplification = 10;
    const auto model =
        fit_on(fit_user_knn, options,
               make_histories({{event(0), event(1), event(2)}, {event(0), event(3)}}, 2, 4));
    const std::vector<HistoryEvent> asked{event(0), event(1)};
    const auto scores = scores_of(*model, asked, 4);
    EXPECT_TRUE(std::isfinite(scores[2]));
    EXPECT_GT(scores[3], 0);
    EXPECT_NEAR(scores[2] / scores[3], 1024, 0.1);  // twice as similar
  }
}

TEST(UserKnn, ComparesThoseWhoWereActiveLast) {
  std::vector<std::vector<HistoryEvent>> rows{
      {event_of(0), event_of(1)}, {event_of(0), event_of(2)}, {event_of(0), event_of(3)}};
  const std::vector<int> days{2, 3, 1};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (HistoryEvent& event : rows[r]) event.time = days[r] * kDay;
  }
  UserKnnOptions options;
  options.sample = 2;
  const auto model = fit_on(fit_user_knn, options, make_histories(rows, 3, 4));
  const HistoryEvent zero = event_of(0);
  const auto scores = scores_of(*model, std::span(&zero, 1), 4);
  EXPECT_GT(scores[1], 0);
  EXPECT_GT(scores[2], 0);
  EXPECT_EQ(scores[3], 0);
}

// The worked example of textbooks: three users rate three items.
//
//        1  2  3   mean
//   A    5  3  2   10/3
//   B    4  5  1   10/3
//   C    2  4  5   11/3
const std::vector<std::vector<float>> kTable{{5, 3, 2}, {4, 5, 1}, {2, 4, 5}};

std::vector<HistoryEvent> ratings(std::size_t user, std::size_t count) {
  std::vector<HistoryEvent> row;
  for (std::uint32_t i = 0; i < count; ++i) row.push_back(event_of(i, kTable[user][i]));
  return row;
}

UserKnnOptions textbook() {
  UserKnnOptions options;
  options.item_exponent = options.target_exponent = 0;
  return options;
}

// The cosine of a history with the one person `user`: their score of item 0 is s times the rating.
double similarity_of(std::span<const HistoryEvent> history, std::size_t user, std::size_t count) {
  const auto model = fit_on(fit_user_knn, textbook(), make_histories({ratings(user, count)}, 1, 3));
  return scores_of(*model, history, 3)[0] / kTable[user][0];
}

TEST(UserKnn, TheCosineOfTheTextbook) {
  // (5 4 + 3 5 + 2 1) / (sqrt(25 + 9 + 4) sqrt(16 + 25 + 1)) = 37 / sqrt(38 42) = 37 / 39.95
  EXPECT_NEAR(similarity_of(ratings(0, 3), 1, 3), 0.926, 0.0005);
  // A and C: (10 + 12 + 10) / sqrt(38 45) = 32 / 41.35
  EXPECT_NEAR(similarity_of(ratings(0, 3), 2, 3), 0.774, 0.0005);
  // B and C: (8 + 20 + 5) / sqrt(42 45) = 33 / 43.47
  EXPECT_NEAR(similarity_of(ratings(1, 3), 2, 3), 0.759, 0.0005);
}

TEST(UserKnn, ThePredictionOfTheTextbook) {
  // A's rating of item 3 were unknown, A = (5, 3). Similarities over the items that both rated:
  //   A, B: (20 + 15) / (sqrt(34) sqrt(41)) = 35 / 37.34 = .9374
  //   A, C: (10 + 12) / (sqrt(34) sqrt(20)) = 22 / 26.08 = .8437
  const auto asked = ratings(0, 2);
  const double b = similarity_of(asked, 1, 2), c = similarity_of(asked, 2, 2);
  EXPECT_NEAR(b, 0.9374, 0.00005);
  EXPECT_NEAR(c, 0.8437, 0.00005);
  // Plain weighted mean: (.9374 1 + .8437 5) / (.9374 + .8437) = 5.1559 / 1.7811 = 2.895
  EXPECT_NEAR((b * kTable[1][2] + c * kTable[2][2]) / (b + c), 2.895, 0.0005);
  // Mean-centred, means over what each rated: 4 + (.9374 (1 - 10/3) + .8437 (5 - 11/3)) / 1.7811
  //   = 4 + (-2.1873 + 1.1249) / 1.7811 = 3.4035
  EXPECT_NEAR(4 + (b * (1 - 10.0 / 3) + c * (5 - 11.0 / 3)) / (b + c), 3.4035, 0.0005);
  // The model compares whole histories, item 3 of B and C included:
  //   A, B: 35 / sqrt(34 42) = .9262;  A, C: 22 / sqrt(34 45) = .5624
  // and lists the weighted sum: .9262 1 + .5624 5 = 3.738
  const auto model =
      fit_on(fit_user_knn, textbook(), make_histories({ratings(1, 3), ratings(2, 3)}, 2, 3));
  EXPECT_NEAR(scores_of(*model, asked, 3)[2], 3.738, 0.0005);
}

}  // namespace
}  // namespace vitrine
