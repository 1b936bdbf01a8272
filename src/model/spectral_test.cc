#include "model/spectral.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

Square product(const Square& a, const Square& b) {
  Square c(a.size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < a.size(); ++k) {
      for (std::size_t j = 0; j < a.size(); ++j) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

// e^(-scale P) by its series.
Square exponential(const Square& p, double scale) {
  Square sum(p.size(), std::vector<double>(p.size())), term = sum;
  for (std::size_t i = 0; i < p.size(); ++i) term[i][i] = sum[i][i] = 1;
  for (int k = 1; k < 60; ++k) {
    term = product(term, p);
    for (std::size_t i = 0; i < p.size(); ++i) {
      for (std::size_t j = 0; j < p.size(); ++j) {
        term[i][j] *= -scale / k;
        sum[i][j] += term[i][j];
      }
    }
  }
  return sum;
}

// Eigenvalues of a symmetric matrix, falling, by Jacobi rotations.
std::vector<double> eigenvalues(Square a) {
  const std::size_t n = a.size();
  for (int sweep = 0; sweep < 50; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        if (std::abs(a[p][q]) < 1e-300) continue;
        const double angle = 0.5 * std::atan2(2 * a[p][q], a[q][q] - a[p][p]);
        const double c = std::cos(angle), s = std::sin(angle);
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[k][p], y = a[k][q];
          a[k][p] = c * x - s * y;
          a[k][q] = s * x + c * y;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[p][k], y = a[q][k];
          a[p][k] = c * x - s * y;
          a[q][k] = s * x + c * y;
        }
      }
    }
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(a[i][i]);
  std::sort(values.rbegin(), values.rend());
  return values;
}

std::vector<double> sums(const SparseRows& rows) {
  std::vector<double> sums(rows.rows());
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    for (const float w : rows.row_weights(r)) sums[r] += double{w};
  }
  return sums;
}

// What each single item of a history gives to each item, through the dense item-item matrix.
Square dense_filter(const Interactions& x, const SpectralOptions& o) {
  const std::vector<double> n = sums(x.by_row), f = sums(x.by_item);
  const std::size_t items = x.items;
  Square p(items, std::vector<double>(items));
  for (std::size_t r = 0; r < n.size(); ++r) {
    const auto row = x.by_row.row(r);
    const auto weights = x.by_row.row_weights(r);
    for (std::size_t a = 0; a < row.size(); ++a) {
      for (std::size_t b = 0; b < row.size(); ++b) {
        p[row[a]][row[b]] += double{weights[a]} * weights[b] * std::pow(n[r], -o.person_exponent) *
                             std::pow(f[row[a]] * f[row[b]], -o.item_exponent);
      }
    }
  }
  const std::vector<double> values = eigenvalues(p);
  const double largest = values[0], last = values[std::min(items, x.by_row.rows()) - 1];
  const double rate = largest > 0 ? o.sharpening / largest : 0;
  Square kept = exponential(p, rate);
  for (auto& row : kept) {
    for (double& v : row) v *= std::exp(rate * last);
  }
  const Square walk = o.rank > 0 ? product(p, kept) : p;  // P + (P e^-.. - P)
  Square filter = walk;
  for (std::size_t i = 0; i < items; ++i) {
    for (std::size_t j = 0; j < items; ++j) {
      if (f[i] == 0 || f[j] == 0) {
        filter[i][j] = 0;
        continue;
      }
      const double blur = o.rank > 0 ? o.ideal * largest * kept[i][j] : 0;
      filter[i][j] += blur * std::pow(f[j] / f[i], o.item_exponent);
      filter[i][j] *= std::pow(f[j], o.popularity);
    }
  }
  return filter;
}

SpectralOptions any_options() {
  SpectralOptions options;
  options.person_exponent = *rc::gen::element(0.0, 0.6, 1.0);
  options.item_exponent = *rc::gen::element(0.3, 0.5);
  options.popularity = *rc::gen::element(0.0, 0.25, -0.5);
  options.ideal = *rc::gen::element(0.0, 0.3);
  options.sharpening = *rc::gen::element(0.0, 1.0, 2.5);
  return options;
}

TEST(Spectral, OfFullRankIsTheDenseFilter) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    SpectralOptions options = any_options();
    options.rank = *rc::gen::element(0, 100);
    // With fewer persons than items the vectors are no basis of everything.
    if (histories.rows() < histories.items()) options.ideal = 0;
    const auto model = fit_on(fit_spectral, options, histories, merge);
    const Square expected = dense_filter(build_interactions(histories, merge), options);
    for (std::uint32_t i = 0; i < histories.items(); ++i) {
      const HistoryEvent event = event_of(i);
      const auto scores = scores_of(*model, std::span(&event, 1), histories.items());
      for (std::uint32_t j = 0; j < histories.items(); ++j) {
        RC_ASSERT(near(scores[j], expected[i][j], 2e-4));
      }
    }
  }));
}

TEST(Spectral, AHistoryIsASetOfItems) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const auto model = fit_on(fit_spectral, any_options(), histories);
    const std::vector<HistoryEvent> once{event_of(1), event_of(3)};
    const std::vector<HistoryEvent> often{event_of(3, 2), event_of(1), event_of(99), event_of(3)};
    RC_ASSERT(scores_of(*model, once, 8) == scores_of(*model, often, 8));
  }));
}

TEST(Spectral, AHistoryIsTheSumOfItsItems) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const auto model = fit_on(fit_spectral, any_options(), histories);
    const std::vector<HistoryEvent> both{event_of(2), event_of(5)};
    const auto whole = scores_of(*model, both, 8);
    const auto first = scores_of(*model, std::span(&both[0], 1), 8);
    const auto second = scores_of(*model, std::span(&both[1], 1), 8);
    for (std::size_t j = 0; j < 8; ++j) RC_ASSERT(near(whole[j], first[j] + second[j], 1e-5));
  }));
}

TEST(Spectral, WeightsThatNoPowerHoldsAreRefused) {
  std::vector<HistoryEvent> row{event_of(0, 1e-38f), event_of(1, 1e-38f)};
  const Histories histories = testing::make_histories({row}, 1, 2);
  InteractionOptions merge;
  merge.binary = false;
  SpectralOptions options;
  options.person_exponent = 2;
  options.rank = 0;
  const Error error = testing::error_of(fit_spectral, options, histories, merge);
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_NE(error.message.find("person_exponent"), std::string::npos);
}

TEST(Spectral, SaysWhichRankWouldFit) {
  SpectralOptions options;
  options.rank = 4096;
  options.memory_limit_mb = 1;
  const Histories histories = testing::full_histories(20, 30);
  const Error error = testing::error_of(fit_spectral, options, histories);
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("or set rank = 2383"), std::string::npos) << error.message;
  options.rank = 2383;
  fit_on(fit_spectral, options, histories);
}

TEST(Spectral, ListsOnlyItemsThatTrainingSaw) {
  // Items 1 and 4 are known to the histories by number only.
  const Histories histories = testing::make_histories(
      {{event_of(0), event_of(2)}, {event_of(0), event_of(3)}, {event_of(2), event_of(3)}}, 3, 5);
  const auto model = fit_on(fit_spectral, SpectralOptions{}, histories);
  const HistoryEvent zero = event_of(0), one = event_of(1);
  Query query;
  query.history = std::span(&zero, 1);
  std::vector<std::uint32_t> listed;
  for (const Candidate& c : testing::list_of(*model, query, 10)) listed.push_back(raw(c.item));
  EXPECT_THAT(listed, ::testing::UnorderedElementsAre(0, 2, 3));
  const auto scores = scores_of(*model, query, 7);
  EXPECT_EQ(scores[1], 0);
  EXPECT_EQ(scores[6], 0);
  query.history = std::span(&one, 1);
  EXPECT_TRUE(testing::list_of(*model, query, 10).empty());
}

}  // namespace
}  // namespace vitrine
