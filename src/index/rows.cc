#include "index/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "index/select.h"

namespace vitrine {
namespace {

// Scratch of one thread, kept between requests: a request then costs no allocation and, for sparse
// rows, nothing that grows with the catalogue.
struct Scratch {
  struct Cell {
    std::uint32_t stamp;  // the cell holds a sum of this call only if this is the call's stamp
    float sum;
  };
  TopList top;
  std::vector<Cell> cells;
  std::vector<std::uint32_t> touched;
  std::vector<float> scores;
  std::uint32_t stamp = 0;

  void begin_sparse(std::size_t items) {
    if (cells.size() < items) cells.resize(items, Cell{0, 0});
    if (++stamp == 0) {  // wrapped: every old stamp could be mistaken for a new one
      std::fill(cells.begin(), cells.end(), Cell{0, 0});
      stamp = 1;
    }
    touched.clear();
  }
};

Scratch& scratch() {
  thread_local Scratch scratch;
  return scratch;
}

std::size_t room(int n, std::span<const Candidate> out) {
  return n <= 0 ? 0 : std::min(static_cast<std::size_t>(n), out.size());
}

// One more than the highest column of the rows (columns ascend), at most `items`.
std::size_t cells_needed(std::span<const WeightedRow> rows, const SparseRows& matrix,
                         std::size_t items) {
  std::size_t needed = 0;
  for (const WeightedRow& r : rows) {
    if (r.row >= matrix.rows() || matrix.row(r.row).empty()) continue;
    needed = std::max<std::size_t>(needed, matrix.row(r.row).back() + std::size_t{1});
  }
  return std::min(needed, items);
}

// Whether summing whole rows is less work than looking `items` up in each by bisection.
bool accumulating_pays(std::span<const WeightedRow> rows, const SparseRows& matrix,
                       std::size_t items) {
  constexpr std::size_t kBisection = 8;  // steps of one look-up, about
  std::size_t entries = items;
  for (const WeightedRow& r : rows) {
    if (r.row < matrix.rows()) entries += matrix.row(r.row).size();
  }
  return entries < rows.size() * items * kBisection;
}

void accumulate(std::span<const WeightedRow> rows, const SparseRows& matrix, std::size_t items,
                Scratch& s) {
  s.begin_sparse(cells_needed(rows, matrix, items));
  for (const WeightedRow& r : rows) {
    if (r.row >= matrix.rows()) continue;
    const std::span<const std::uint32_t> columns = matrix.row(r.row);
    const std::span<const float> weights = matrix.row_weights(r.row);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] >= items) break;
      Scratch::Cell& cell = s.cells[columns[i]];
      if (cell.stamp != s.stamp) {
        cell = {s.stamp, 0};
        s.touched.push_back(columns[i]);
      }
      cell.sum = std::fma(r.weight, weights[i], cell.sum);
    }
  }
}

// A sum that nothing was added to: no sum of products plus 0 is ever -0.
constexpr float kUntouched = -0.0f;
bool is_touched(float sum) { return std::bit_cast<std::uint32_t>(sum) != 0x80000000u; }

// Whether to sum into one plain array: it stays in the first levels of the cache, and clearing and
// reading it costs little beside the additions.
bool plain_sums_pay(std::span<const WeightedRow> rows, const SparseRows& matrix,
                    std::size_t needed) {
  constexpr std::size_t kItems = 1 << 17;
  std::size_t entries = 0;
  for (const WeightedRow& r : rows) {
    if (r.row < matrix.rows()) entries += matrix.row(r.row).size();
  }
  return needed <= kItems && needed <= 4 * entries;
}

// Asks for a row before its turn: rows are short and lie anywhere, so the hardware cannot guess.
void fetch_ahead(const SparseRows& matrix, std::size_t row) {
  if (row >= matrix.rows()) return;
  constexpr std::size_t kLine = 16;  // 4-byte entries of a cache line
  const std::span<const std::uint32_t> columns = matrix.row(row);
  const float* weights = matrix.row_weights(row).data();
  for (std::size_t i = 0; i < columns.size(); i += kLine) {
    __builtin_prefetch(columns.data() + i);
    __builtin_prefetch(weights + i);
  }
}

void accumulate_plain(std::span<const WeightedRow> rows, const SparseRows& matrix,
                      std::size_t needed, std::vector<float>& sums) {
  sums.assign(needed, kUntouched);
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const WeightedRow& r = rows[at];
    if (at + 1 < rows.size()) fetch_ahead(matrix, rows[at + 1].row);
    if (r.row >= matrix.rows()) continue;
    const std::uint32_t* columns = matrix.row(r.row).data();
    const float* weights = matrix.row_weights(r.row).data();
    const float weight = r.weight;
    float* at_item = sums.data();
    std::size_t size = matrix.row(r.row).size();
    while (size > 0 && columns[size - 1] >= needed) --size;
    for (std::size_t i = 0; i < size; ++i) {
      float& sum = at_item[columns[i]];
      sum = std::fma(weight, weights[i], sum) + 0.0f;
    }
  }
}

// The best of the scores that `listed` lets through.
template <class Listed>
std::size_t top_where(std::span<const float> scores, const ItemMask& mask, int n,
                      std::span<Candidate> out, const Listed& listed) {
  const std::size_t count = std::min(room(n, out), scores.size());
  if (count == 0) return 0;
  TopList& top = scratch().top;
  top.reset(count);
  const auto visit = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (!(scores[i] >= top.threshold())) continue;  // most, and cheaper to say than the next line
      const Candidate c{ItemIndex{static_cast<std::uint32_t>(i)}, scores[i]};
      if (listed(c.score) && top.admits(c) && mask.allows(c.item)) top.push(c);
    }
  };
  // Most blocks hold nothing that reaches the threshold, and a block is a few vector comparisons.
  constexpr std::size_t kBlock = 32;
  const std::size_t whole = scores.size() / kBlock * kBlock;
  for (std::size_t begin = 0; begin < whole; begin += kBlock) {
    const float threshold = top.threshold();
    const float* block = scores.data() + begin;
    int reached = 0;
    for (std::size_t i = 0; i < kBlock; ++i) reached |= static_cast<int>(block[i] >= threshold);
    if (reached != 0) visit(begin, begin + kBlock);
  }
  visit(whole, scores.size());
  return top.take(out.first(count));
}

// As std::lower_bound, without branches that nobody can predict: several searches overlap.
std::size_t lower_bound_place(std::span<const std::uint32_t> sorted, std::uint32_t key) {
  const std::uint32_t* at = sorted.data();
  std::size_t left = sorted.size();
  while (left > 1) {
    const std::size_t half = left / 2;
    at += half * static_cast<std::size_t>(at[half - 1] < key);
    left -= half;
  }
  const auto place = static_cast<std::size_t>(at - sorted.data());
  return place + static_cast<std::size_t>(left == 1 && *at < key);
}

}  // namespace

std::size_t top_of_scores(std::span<const float> scores, const ItemMask& mask, int n,
                          std::span<Candidate> out) {
  return top_where(scores, mask, n, out, [](float) { return true; });
}

std::size_t top_of_sparse_rows(std::span<const WeightedRow> rows, const SparseRows& matrix,
                               std::size_t items, const ItemMask& mask, int n,
                               std::span<Candidate> out) {
  const std::size_t count = room(n, out);
  if (count == 0) return 0;
  Scratch& s = scratch();
  const std::size_t needed = cells_needed(rows, matrix, items);
  if (plain_sums_pay(rows, matrix, needed)) {
    accumulate_plain(rows, matrix, needed, s.scores);
    // What a person has is near the top of these sums: forgetting it is cheaper than asking.
    for (const ItemIndex item : mask.excluded) {
      if (raw(item) < needed) s.scores[raw(item)] = kUntouched;
    }
    return top_where(s.scores, {mask.allowed, {}}, n, out,
                     [](float sum) { return is_touched(sum); });
  }
  accumulate(rows, matrix, items, s);
  s.top.reset(std::min(count, std::max<std::size_t>(1, s.touched.size())));
  for (const std::uint32_t item : s.touched) {
    const Candidate c{ItemIndex{item}, s.cells[item].sum};
    if (s.top.admits(c) && mask.allows(c.item)) s.top.push(c);
  }
  return s.top.take(out.first(count));
}

std::size_t top_of_dense_rows(std::span<const WeightedRow> rows, MatrixView<const float> matrix,
                              const ItemMask& mask, int n, std::span<Candidate> out) {
  Scratch& s = scratch();
  const std::int64_t items = matrix.cols;
  s.scores.assign(static_cast<std::size_t>(items), 0.0f);
  const Kernels& k = kernels();
  // In column blocks, so that the sums stay in the first-level cache.
  constexpr std::int64_t kColumns = 4096;
  for (std::int64_t begin = 0; begin < items; begin += kColumns) {
    const std::int64_t width = std::min(kColumns, items - begin);
    for (const WeightedRow& r : rows) {
      if (r.row >= matrix.rows) continue;
      k.axpy(r.weight, matrix.data + r.row * matrix.stride + begin, s.scores.data() + begin, width);
    }
  }
  return top_of_scores(s.scores, mask, n, out);
}

std::size_t top_of_ranked(std::span<const Candidate> ranked, const ItemMask& mask, int n,
                          std::span<Candidate> out) {
  const std::size_t count = room(n, out);
  std::size_t written = 0;
  for (const Candidate& c : ranked) {
    if (written == count) break;
    if (!std::isnan(c.score) && mask.allows(c.item)) out[written++] = c;
  }
  return written;
}

void score_sparse_rows(std::span<const WeightedRow> rows, const SparseRows& matrix,
                       std::span<const ItemIndex> items, std::span<float> scores) {
  VT_CHECK(scores.size() == items.size());
  if (accumulating_pays(rows, matrix, items.size())) {
    Scratch& s = scratch();
    accumulate(rows, matrix, std::numeric_limits<std::uint32_t>::max(), s);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t item = raw(items[i]);
      scores[i] = item < s.cells.size() && s.cells[item].stamp == s.stamp ? s.cells[item].sum : 0;
    }
    return;
  }
  std::fill(scores.begin(), scores.end(), 0.0f);
  for (const WeightedRow& r : rows) {
    if (r.row >= matrix.rows()) continue;
    const std::span<const std::uint32_t> columns = matrix.row(r.row);
    const std::span<const float> weights = matrix.row_weights(r.row);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t place = lower_bound_place(columns, raw(items[i]));
      if (place == columns.size() || columns[place] != raw(items[i])) continue;
      scores[i] = std::fma(r.weight, weights[place], scores[i]);
    }
  }
}

void score_dense_rows(std::span<const WeightedRow> rows, MatrixView<const float> matrix,
                      std::span<const ItemIndex> items, std::span<float> scores) {
  VT_CHECK(scores.size() == items.size());
  std::fill(scores.begin(), scores.end(), 0.0f);
  for (const WeightedRow& r : rows) {
    if (r.row >= matrix.rows) continue;
    const float* row = matrix.data + r.row * matrix.stride;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (raw(items[i]) >= matrix.cols) continue;
      scores[i] = std::fma(r.weight, row[raw(items[i])], scores[i]);
    }
  }
}

}  // namespace vitrine
