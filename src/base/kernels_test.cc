#include "base/kernels.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/random.h"

namespace vitrine {
namespace {

const Kernels& scalar() { return *kernels_named("scalar"); }

// Values of mixed size, with zeros.
std::vector<float> values(std::size_t n, std::uint64_t seed) {
  std::vector<float> v(n);
  const Random random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double x = random.normal(i);
    v[i] = static_cast<float>(i % 11 == 3 ? 0.0 : i % 5 == 0 ? x * 1e4 : x);
  }
  return v;
}

// A buffer that records everything that is pushed and moves its threshold as it is cut.
struct Recorder {
  static constexpr std::uint32_t kCapacity = 80;
  std::vector<std::uint32_t> positions = std::vector<std::uint32_t>(kCapacity);
  std::vector<float> scores = std::vector<float>(kCapacity);
  std::vector<std::pair<std::uint32_t, float>> pushed;
  ScanBuffer buffer{};
  float step = 0;

  Recorder(float threshold, float step_) : step(step_) {
    buffer = {threshold, 0, kCapacity, positions.data(), scores.data(), cut, this};
  }
  void drain() {
    for (std::uint32_t i = 0; i < buffer.size; ++i) {
      pushed.emplace_back(buffer.positions[i], buffer.scores[i]);
    }
    buffer.size = 0;
  }
  static void cut(ScanBuffer& b) {
    auto& self = *static_cast<Recorder*>(b.owner);
    self.drain();
    b.threshold += self.step;
  }
};

TEST(Kernels, TheScalarRowIsAlwaysThereAndTheBestIsLast) {
  ASSERT_FALSE(all_kernels().empty());
  EXPECT_EQ(all_kernels().front()->name, "scalar");
  EXPECT_EQ(all_kernels().back(), &kernels());
  EXPECT_EQ(kernels_named("no such row"), nullptr);
  for (const Kernels* row : all_kernels()) EXPECT_EQ(kernels_named(row->name), row);
}

TEST(Kernels, DotIsNearTheSumInDouble) {
  for (std::size_t n = 0; n < 300; ++n) {
    const std::vector<float> a = values(n, 1), b = values(n, 2);
    double sum = 0, size = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += double{a[i]} * double{b[i]};
      size += std::abs(double{a[i]} * double{b[i]});
    }
    for (const Kernels* row : all_kernels()) {
      ASSERT_NEAR(row->dot(a.data(), b.data(), static_cast<std::int64_t>(n)), sum, 1e-6 * size);
    }
  }
}

TEST(Kernels, EveryRowGivesTheSameBits) {
  for (std::size_t n = 0; n < 400; n = n < 140 ? n + 1 : n + 37) {
    const std::vector<float> a = values(n, 3), b = values(n, 4);
    const auto size = static_cast<std::int64_t>(n);
    const float dot = scalar().dot(a.data(), b.data(), size);
    std::vector<float> sum = b;
    scalar().axpy(0.37f, a.data(), sum.data(), size);
    for (const Kernels* row : all_kernels()) {
      ASSERT_EQ(row->dot(a.data(), b.data(), size), dot) << row->name << " " << n;
      std::vector<float> got = b;
      row->axpy(0.37f, a.data(), got.data(), size);
      ASSERT_EQ(got, sum) << row->name << " " << n;
    }
  }
}

std::vector<Recorder> scan_with(const Kernels& row, int count, std::int64_t width,
                                std::int64_t panels, float step) {
  const std::vector<float> queries = values(static_cast<std::size_t>(width * kScanQueries) + 1, 5);
  std::vector<float> items = values(static_cast<std::size_t>(width * panels * kPanel) + 1, 6);
  if (items.size() > 50) items[50] = std::nanf("");
  std::vector<Recorder> recorders;
  recorders.reserve(static_cast<std::size_t>(count));
  std::vector<ScanBuffer> buffers;
  for (int q = 0; q < count; ++q) {
    recorders.emplace_back(static_cast<float>(q % 3) * 1e3f - 1e3f, step);
    buffers.push_back(recorders.back().buffer);
    buffers.back().positions = recorders.back().positions.data();
    buffers.back().scores = recorders.back().scores.data();
    buffers.back().owner = &recorders.back();
  }
  // `cut` works on the buffer that it is given: the recorder only keeps what was drained.
  for (ScanBuffer& b : buffers) {
    b.cut = [](ScanBuffer& full) {
      auto& self = *static_cast<Recorder*>(full.owner);
      for (std::uint32_t i = 0; i < full.size; ++i) {
        self.pushed.emplace_back(full.positions[i], full.scores[i]);
      }
      full.size = 0;
      full.threshold += self.step;
    };
  }
  row.scan(queries.data(), count, items.data(), width, panels, 1000, buffers.data());
  for (ScanBuffer& b : buffers) b.cut(b);
  return recorders;
}

TEST(Kernels, ScansPushTheSameScoresOnEveryRow) {
  for (int count = 1; count <= kScanQueries; ++count) {
    for (const std::int64_t width : {0, 1, 7, 64}) {
      const std::vector<Recorder> expected = scan_with(scalar(), count, width, 5, 40.0f);
      for (const Kernels* row : all_kernels()) {
        const std::vector<Recorder> got = scan_with(*row, count, width, 5, 40.0f);
        for (std::size_t q = 0; q < got.size(); ++q) {
          ASSERT_EQ(got[q].pushed, expected[q].pushed) << row->name << " " << count << " " << width;
        }
      }
    }
  }
}

TEST(Kernels, AScoreIsAChainOfFusedMultiplyAdds) {
  const std::int64_t width = 9;
  const std::vector<float> queries = values(static_cast<std::size_t>(width * kScanQueries), 5);
  const std::vector<float> items = values(static_cast<std::size_t>(width * kPanel), 6);
  for (const Kernels* row : all_kernels()) {
    Recorder all(-1e30f, 0);
    row->scan(queries.data(), 1, items.data(), width, 1, 0, &all.buffer);
    all.drain();
    ASSERT_EQ(all.pushed.size(), 32u);
    for (const auto& [position, score] : all.pushed) {
      float chain = 0;
      for (std::int64_t k = 0; k < width; ++k) {
        chain = std::fma(queries[static_cast<std::size_t>(k * kScanQueries)],
                         items[static_cast<std::size_t>(k * kPanel + position)], chain);
      }
      EXPECT_EQ(score, chain) << row->name;
    }
  }
}

std::uint16_t truncated(float v) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16);
}
float widened(std::uint16_t v) { return std::bit_cast<float>(std::uint32_t{v} << 16); }

// Every `step`-th query is open, the others are padding: nothing may be pushed for them.
void expect_screen_is_a_product(const Kernels& row, std::int64_t width, std::size_t step) {
  constexpr std::int64_t kTiles = 3, kItems = kTiles * kScreenTile;
  std::vector<std::uint16_t> items(static_cast<std::size_t>(kItems * width));
  std::vector<std::uint16_t> queries(static_cast<std::size_t>(kScreenTile * width));
  const std::vector<float> draws = values(items.size() + queries.size(), 9);
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = truncated(draws[i]);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i] = truncated(draws[items.size() + i]);
  std::vector<Recorder> recorders;
  recorders.reserve(kScreenTile);
  for (int q = 0; q < kScreenTile; ++q) recorders.emplace_back(-3e38f, 0.0f);
  std::vector<ScanBuffer> buffers;
  for (std::size_t q = 0; q < kScreenTile; ++q) {
    Recorder& r = recorders[q];
    r.positions.resize(kItems + kPanel);
    r.scores.resize(kItems + kPanel);
    const float threshold = q % step == 0 ? -3e38f : std::numeric_limits<float>::infinity();
    buffers.push_back(
        {threshold, 0, kItems + kPanel, r.positions.data(), r.scores.data(), Recorder::cut, &r});
  }
  row.screen(queries.data(), 1, items.data(), width, kTiles, 7, buffers.data());
  for (std::size_t q = 0; q < kScreenTile; ++q) {
    ASSERT_EQ(buffers[q].size, q % step == 0 ? kItems : 0);
    for (std::uint32_t i = 0; i < buffers[q].size; ++i) {
      ASSERT_EQ(buffers[q].positions[i], i + 7);
      double sum = 0, size = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(width); ++k) {
        const double x = double{widened(items[i * static_cast<std::size_t>(width) + k])} *
                         double{widened(queries[(k / 2 * kScreenTile + q) * 2 + k % 2])};
        sum += x;
        size += std::abs(x);
      }
      ASSERT_NEAR(buffers[q].scores[i], sum, size * 1e-5);
    }
  }
}

TEST(Kernels, ScreensAreProductsOfBfloat16) {
  bool any = false;
  for (const Kernels* row : all_kernels()) {
    if (row->screen == nullptr) continue;
    any = true;
    for (const std::int64_t width : {32, 64, 160, 4096}) {
      for (const std::size_t step : {1u, 7u, 31u}) expect_screen_is_a_product(*row, width, step);
    }
  }
  if (!any)
    GTEST_SKIP() << "NOT TESTED: screening in bfloat16; this processor lacks AMX and AVX-512 BF16";
}

// Rows with a scale each, at all positions in order and at some of them.
void expect_bytes_are_exact(std::int64_t width, std::int64_t count, bool some) {
  const Random random(static_cast<std::uint64_t>(width + 1000 * count));
  const auto size = static_cast<std::size_t>(width), rows = static_cast<std::size_t>(count) + 5;
  std::vector<std::uint8_t> values(rows * size);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::uint8_t>(1 + random.below(i, 255));
  for (std::size_t k = 0; k < size; ++k) values[k] = 255;
  std::vector<std::int8_t> query(size);
  for (std::size_t k = 0; k < size; ++k)
    query[k] = static_cast<std::int8_t>(k < size / 2 ? 127 : 127 - random.below(k, 255));
  std::vector<float> scales(rows);
  for (std::size_t i = 0; i < rows; ++i) scales[i] = static_cast<float>(random.uniform(i));
  std::vector<std::uint32_t> positions;
  for (std::int64_t i = 0; i < count; ++i)
    positions.push_back(static_cast<std::uint32_t>(random.fork("at").below(i, rows)));
  std::vector<std::pair<std::uint32_t, float>> expected;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i) {
    const std::uint32_t p = some ? positions[i] : 3 + i;
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < size; ++k) sum += query[k] * (int{values[p * size + k]} - 128);
    const float score = static_cast<float>(sum) * (0.37f * scales[p]);
    if (score >= 10.0f) expected.emplace_back(p, score);
  }
  for (const Kernels* row : all_kernels()) {
    Recorder all(10.0f, 0);
    row->screen_bytes(query.data(), 0.37f, {values.data(), scales.data(), width},
                      some ? positions.data() : nullptr, 3, count, all.buffer);
    all.drain();
    ASSERT_EQ(all.pushed, expected) << row->name << " " << width << " " << count << " " << some;
  }
}

TEST(Kernels, ProductsOfBytesAreExactOnEveryRow) {
  for (const std::int64_t width : {32, 64, 96, 256, 4096}) {
    for (const std::int64_t count : {0, 1, 7, 8, 15, 16, 17, 33, 200}) {
      expect_bytes_are_exact(width, count, false);
      expect_bytes_are_exact(width, count, true);
    }
  }
  expect_bytes_are_exact(kByteWidthMax, 3, false);
}

TEST(Kernels, CommonBitsAreExactOnEveryRow) {
  EXPECT_TRUE(rc::check([] {
    const std::int64_t a_rows = *rc::gen::inRange(0, 70), b_rows = *rc::gen::inRange(0, 140);
    const std::int64_t words = *rc::gen::element(0, 8, 16, 40, 72);
    const Random random(*rc::gen::arbitrary<std::uint64_t>());
    const auto draw = [&](std::int64_t rows, const char* name) {
      std::vector<std::uint64_t> bits(static_cast<std::size_t>(rows * words));
      for (std::size_t i = 0; i < bits.size(); ++i) {
        bits[i] = random.fork(name).below(i, ~std::uint64_t{0});
        if (i % 5 == 1) bits[i] = ~std::uint64_t{0};
      }
      return bits;
    };
    const std::vector<std::uint64_t> a = draw(a_rows, "a"), b = draw(b_rows, "b");
    const std::int64_t stride = b_rows + 3;
    std::vector<float> expected(static_cast<std::size_t>(a_rows * stride), 2.0f);
    scalar().count_common(a.data(), a_rows, b.data(), b_rows, words, expected.data(), stride);
    for (const Kernels* row : all_kernels()) {
      std::vector<float> got(expected.size(), 2.0f);
      row->count_common(a.data(), a_rows, b.data(), b_rows, words, got.data(), stride);
      RC_ASSERT(got == expected);
    }
  }));
}

}  // namespace
}  // namespace vitrine
