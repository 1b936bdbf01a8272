#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "index/clustered.h"

namespace vitrine {
namespace {

constexpr int kIterations = 8;
constexpr std::int64_t kSamplesPerList = 64;  // items that k-means looks at
constexpr std::int64_t kListsMax = 1 << 16;
constexpr std::int64_t kListSizeMax = 4;  // times the mean; a longer list is cut
constexpr std::int64_t kSampleQueries = 500;
constexpr std::int64_t kGrain = 1'024;

}  // namespace

class ClusterBuilder {
 public:
  ClusterBuilder(MatrixView<const float> vectors, std::span<const ItemIndex> names,
                 const ClusterOptions& options, ThreadPool& pool)
      : vectors_(vectors),
        names_(names),
        random_(Random(options.seed).fork("clusters")),
        pool_(pool) {
    const auto count = static_cast<std::int64_t>(names.size());
    const auto root = static_cast<std::int64_t>(4 * std::sqrt(static_cast<double>(count)));
    const std::int64_t lists = options.lists > 0 ? options.lists : root;
    lists_ = std::clamp<std::int64_t>(lists, 1, std::min(count, kListsMax));
  }

  ClusteredItems build(MatrixView<const float> queries, double recall) {
    const Matrix means = means_of_a_sample();
    const std::vector<std::uint32_t> labels = nearest(names_, means);
    index_.width_ = vectors_.cols;
    fill_lists(labels);
    fill_bytes();
    index_.levels_.assign(ClusteredItems::kLevels.size(), {});
    index_.finish();
    const Matrix own = queries.rows == 0 ? mixtures() : Matrix();
    measure(queries.rows == 0 ? own.view() : queries, recall);
    return std::move(index_);
  }

 private:
  std::span<const float> vector(ItemIndex item) const { return vectors_.row(raw(item)); }

  // The mean with the least distance of each item: the largest x.m - |m|^2 / 2.
  std::vector<std::uint32_t> nearest(std::span<const ItemIndex> items, const Matrix& means) {
    const std::int64_t width = vectors_.cols;
    Matrix wide(means.rows(), width + 1);
    for (std::int64_t l = 0; l < means.rows(); ++l) {
      double sum = 0;
      for (std::int64_t k = 0; k < width; ++k) {
        wide(l, k) = means(l, k);
        sum += double{means(l, k)} * double{means(l, k)};
      }
      wide(l, width) = static_cast<float>(-0.5 * sum);
    }
    const PackedItems packed(wide.view());
    std::vector<std::uint32_t> labels(items.size(), 0);
    parallel_for(pool_, static_cast<std::int64_t>(items.size()), kGrain,
                 [&](std::int64_t begin, std::int64_t end) {
                   Matrix rows(end - begin, width + 1);
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::span<const float> row = vector(items[static_cast<std::size_t>(i)]);
                     std::copy(row.begin(), row.end(), rows.row(i - begin).begin());
                     rows(i - begin, width) = 1;
                   }
                   const ItemMask everything;
                   CandidateBlock out;
                   scan_top(rows.view(), packed, std::span(&everything, 1), 1, out);
                   for (std::int64_t i = begin; i < end; ++i) {
                     const auto list = out.row(static_cast<std::size_t>(i - begin));
                     if (!list.empty()) labels[static_cast<std::size_t>(i)] = raw(list[0].item);
                   }
                 });
    return labels;
  }

  // `count` items, one from each of as many equal runs.
  std::vector<ItemIndex> sample(std::int64_t count, const char* name) const {
    const Random random = random_.fork(name);
    std::vector<ItemIndex> items;
    const auto all = static_cast<double>(names_.size());
    for (std::int64_t i = 0; i < count; ++i) {
      const double at = (static_cast<double>(i) + random.uniform(static_cast<std::uint64_t>(i))) *
                        all / static_cast<double>(count);
      items.push_back(names_[std::min(static_cast<std::size_t>(at), names_.size() - 1)]);
    }
    return items;
  }

  // Lloyd's algorithm. A mean that lost its items begins again at an item.
  Matrix means_of_a_sample() {
    const std::int64_t width = vectors_.cols;
    const auto count = static_cast<std::int64_t>(names_.size());
    const std::vector<ItemIndex> items = sample(std::min(count, lists_ * kSamplesPerList), "items");
    Matrix means(lists_, width);
    const std::vector<ItemIndex> first = sample(lists_, "means");
    for (std::int64_t l = 0; l < lists_; ++l) {
      const std::span<const float> row = vector(first[static_cast<std::size_t>(l)]);
      std::copy(row.begin(), row.end(), means.row(l).begin());
    }
    const Random again = random_.fork("again");
    for (int iteration = 0; iteration < kIterations; ++iteration) {
      const std::vector<std::uint32_t> labels = nearest(items, means);
      std::vector<double> sums(static_cast<std::size_t>(lists_ * width), 0.0);
      std::vector<std::int64_t> counts(static_cast<std::size_t>(lists_), 0);
      for (std::size_t i = 0; i < items.size(); ++i) {
        double* sum = sums.data() + std::int64_t{labels[i]} * width;
        for (const float v : vector(items[i])) *sum++ += double{v};
        ++counts[labels[i]];
      }
      for (std::int64_t l = 0; l < lists_; ++l) {
        const auto at = static_cast<std::size_t>(l);
        const auto draw = static_cast<std::uint64_t>(iteration * lists_ + l);
        const std::span<const float> fresh = vector(items[again.below(draw, items.size())]);
        for (std::int64_t k = 0; k < width; ++k) {
          const auto sum = sums[static_cast<std::size_t>(l * width + k)];
          means(l, k) = counts[at] == 0 ? fresh[static_cast<std::size_t>(k)]
                                        : static_cast<float>(sum / static_cast<double>(counts[at]));
        }
      }
    }
    return means;
  }

  // By label, ascending items in each; a list that is much longer than the mean is cut, an empty
  // one left out.
  void fill_lists(std::span<const std::uint32_t> labels) {
    std::vector<std::uint32_t> order(names_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return labels[a] < labels[b]; });
    const auto most = static_cast<std::size_t>(
        kListSizeMax * (static_cast<std::int64_t>(names_.size()) / lists_ + 1));
    std::vector<std::uint32_t> offsets{0};
    std::vector<ItemIndex> items;
    for (std::size_t p = 0; p < order.size(); ++p) {
      const bool same = p > 0 && labels[order[p]] == labels[order[p - 1]];
      if (p > 0 && (!same || p - offsets.back() == most))
        offsets.push_back(static_cast<std::uint32_t>(p));
      items.push_back(names_[order[p]]);
    }
    offsets.push_back(static_cast<std::uint32_t>(order.size()));
    index_.offsets_ = std::move(offsets);
    index_.items_ = std::move(items);
  }

  void fill_bytes() {
    const std::int64_t width = vectors_.cols, wide = byte_width(width);
    const std::size_t lists = index_.offsets_.size() - 1, count = names_.size();
    std::vector<std::uint8_t> bytes(count * static_cast<std::size_t>(wide));
    std::vector<float> scales(count), means(lists * static_cast<std::size_t>(width));
    std::vector<double> bounds;
    for (std::size_t l = 0; l < lists; ++l) {
      ScreenBounds widest;
      std::vector<double> sum(static_cast<std::size_t>(width), 0.0);
      for (std::size_t p = index_.offsets_[l]; p < index_.offsets_[l + 1]; ++p) {
        const std::span<const float> row = vector(index_.items_[p]);
        widen(widest, to_bytes(row, bytes.data() + p * static_cast<std::size_t>(wide), scales[p]));
        for (std::size_t k = 0; k < row.size(); ++k) sum[k] += double{row[k]};
      }
      for (std::size_t k = 0; k < sum.size(); ++k) {
        means[l * sum.size() + k] =
            static_cast<float>(sum[k] / static_cast<double>(index_.list(l).size()));
      }
      bounds.insert(bounds.end(), {widest.norm, widest.error, widest.rounded_norm});
    }
    index_.bytes_ = std::move(bytes);
    index_.scales_ = std::move(scales);
    index_.means_ = std::move(means);
    index_.bounds_ = std::move(bounds);
  }

  // One item and half of another.
  Matrix mixtures() const {
    const auto count = std::min(kSampleQueries, static_cast<std::int64_t>(names_.size()));
    Matrix queries(count, vectors_.cols);
    const std::vector<ItemIndex> one = sample(count, "queries");
    const Random random = random_.fork("halves");
    for (std::int64_t q = 0; q < count; ++q) {
      const auto at = static_cast<std::size_t>(q);
      const std::span<const float> a = vector(one[at]),
                                   b = vector(names_[random.below(at, names_.size())]);
      for (std::size_t k = 0; k < a.size(); ++k) queries.row(q)[k] = a[k] + 0.5f * b[k];
    }
    return queries;
  }

  // Ranks of the lists that hold the best of each query, hence how many to visit.
  void measure(MatrixView<const float> queries, double recall) {
    constexpr std::size_t kDeep = ClusteredItems::kLevels.back();
    const std::size_t lists = index_.chunks_.size();
    const std::int64_t count = std::min(queries.rows, kSampleQueries);
    std::vector<std::vector<std::uint32_t>> ranks(static_cast<std::size_t>(count));
    constexpr std::int64_t kTogether = 4;
    parallel_for(pool_, count, kTogether, [&](std::int64_t begin, std::int64_t end) {
      const MatrixView<const float> some{queries.data + begin * queries.stride, end - begin,
                                         queries.cols, queries.stride};
      const ItemMask everything;
      CandidateBlock best, order;
      const auto n = std::min<std::size_t>(kDeep, names_.size());
      best.reset(static_cast<std::size_t>(some.rows), n);
      std::vector<std::uint32_t> rows(static_cast<std::size_t>(some.rows)), rank(lists, 0);
      std::iota(rows.begin(), rows.end(), 0u);
      ByteScan(index_.byte_items(vectors_), n, 0)
          .run(some, rows, std::span(&everything, 1), index_.chunks_, best);
      scan_top(some, *index_.lists_, std::span(&everything, 1), static_cast<int>(lists), order);
      for (std::size_t q = 0; q < rows.size(); ++q) {
        for (std::uint32_t r = 0; r < order.row(q).size(); ++r) rank[raw(order.row(q)[r].item)] = r;
        for (const Candidate& c : best.row(q)) {
          const auto after = std::upper_bound(index_.offsets_.begin(), index_.offsets_.end(),
                                              index_.places_[raw(c.item)]);
          ranks[static_cast<std::size_t>(begin) + q].push_back(
              rank[static_cast<std::size_t>(after - index_.offsets_.begin()) - 1]);
        }
      }
    });
    choose_probes(ranks, recall);
  }

  void choose_probes(std::span<const std::vector<std::uint32_t>> ranks, double recall) {
    const std::size_t lists = index_.chunks_.size();
    for (std::size_t level = 0; level < index_.levels_.size(); ++level) {
      const std::uint32_t k = ClusteredItems::kLevels[level];
      std::vector<double> found(lists, 0.0);  // at each rank
      double all = 0;
      for (const std::vector<std::uint32_t>& list : ranks) {
        const std::size_t count = std::min<std::size_t>(k, list.size());
        for (std::size_t i = 0; i < count; ++i) ++found[list[i]];
        all += static_cast<double>(count);
      }
      double sum = found[0];
      std::uint32_t probes = 1;
      while (probes < index_.most_probes() && sum < recall * all) sum += found[probes++];
      index_.levels_[level] = {k, probes, all > 0 ? sum / all : 1.0};
    }
  }

  MatrixView<const float> vectors_;
  std::span<const ItemIndex> names_;
  const Random random_;
  ThreadPool& pool_;
  std::int64_t lists_;
  ClusteredItems index_;
};

Result<ClusteredItems> ClusteredItems::build(MatrixView<const float> vectors,
                                             std::span<const ItemIndex> names,
                                             MatrixView<const float> queries,
                                             const ClusterOptions& options, ThreadPool& pool) {
  if (names.empty() || vectors.cols < 1 || vectors.cols > kByteWidthMax)
    return Error{Code::kInvalid, "vectors to cluster: there are none, or they are too wide"};
  for (const ItemIndex item : names) {
    double sum = 0;
    for (const float v : vectors.row(raw(item))) sum += double{v} * double{v};
    if (!(std::sqrt(sum) < kClusteredNormMax)) {
      return Error{Code::kInvalid, "vectors to cluster: that of item " + std::to_string(raw(item)) +
                                       " is not finite or too long"};
    }
  }
  return ClusterBuilder(vectors, names, options, pool).build(queries, options.recall);
}

}  // namespace vitrine
