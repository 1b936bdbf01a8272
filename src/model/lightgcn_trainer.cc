#include "model/lightgcn_trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "model/memory.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kNone = ~0u;
constexpr double kInitial = 0.1;      // standard deviation of an embedding
constexpr std::uint64_t kTries = 16;  // for an item that the person does not have

constexpr double kLossRows = 8 * 256;  // scores that pair_losses.cc holds at once, by negative

// How many shared negatives are a pair's own items, in the mean.
double own_negatives(const LightGcnOptions& options, const Interactions& interactions) {
  const SparseRows& rows = interactions.by_row;
  const auto cells = std::max(1.0, static_cast<double>(rows.columns.size()));
  const bool all = static_cast<std::uint32_t>(options.negatives) >= interactions.items;
  double sum = 0;
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    double own = 0;
    for (const std::uint32_t i : rows.row(r)) {
      const auto persons = static_cast<double>(interactions.by_item.row(i).size());
      own += all ? 1 : options.negatives * persons / cells;
    }
    sum += own * static_cast<double>(rows.row(r).size());
  }
  return sum / cells;
}

}  // namespace

LightGcnTrainer::LightGcnTrainer(const Run& run, const LightGcnOptions& options,
                                 const Interactions& interactions)
    : run_(run),
      options_(options),
      interactions_(interactions),
      graph_(run.pool, interactions, options.layers, options.own_layer, options.factors),
      embeddings_(graph_.nodes(), options.factors),
      adam_(graph_.nodes(), options.factors),
      place_(static_cast<std::size_t>(graph_.nodes()), kNone),
      uses_(place_.size(), 0),
      column_of_(interactions.items, kNone) {
  const Random random = run.random.fork("lightgcn/embeddings");
  const auto width = static_cast<std::uint64_t>(options.factors);
  parallel_for(run.pool, graph_.nodes(), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t node = begin; node < end; ++node) {
      std::uint64_t draw = static_cast<std::uint64_t>(node) * width;
      for (float& e : embeddings_.row(node)) {
        e = static_cast<float>(kInitial * random.normal(draw++));
      }
    }
  });
  for (std::size_t r = 0; r < interactions.by_row.rows(); ++r) {
    row_of_.insert(row_of_.end(), interactions.by_row.row(r).size(), static_cast<std::uint32_t>(r));
  }
  order_.resize(row_of_.size());
}

double LightGcnTrainer::bytes(const LightGcnOptions& options, const Interactions& interactions) {
  const auto cells = static_cast<double>(interactions.by_row.columns.size());
  const double nodes = static_cast<double>(interactions.by_row.rows()) + interactions.items;
  const double pairs = std::min<double>(options.batch, cells), row = row_bytes(options.factors);
  const bool shared = options.loss != "bpr";
  const double negatives = shared ? std::min<double>(options.negatives, interactions.items) : pairs;
  // Embeddings, moments and two tables in half precision; a batch in several copies, with its
  // partial sums and, for a block of each, the scores.
  double bytes = row * (4 * nodes + 8 * pairs + 10 * negatives) + 8 * cells;
  if (shared)
    bytes +=
        sizeof(float) * (kLossRows * negatives + 2 * pairs * own_negatives(options, interactions));
  return bytes;
}

std::int64_t LightGcnTrainer::batches() const {
  return (static_cast<std::int64_t>(order_.size()) + options_.batch - 1) / options_.batch;
}

void LightGcnTrainer::begin_epoch(int epoch) {
  epoch_ = epoch;
  std::iota(order_.begin(), order_.end(), 0u);
  shuffle(order_, run_.random.fork("lightgcn/order").fork(static_cast<std::uint64_t>(epoch)));
}

std::uint32_t LightGcnTrainer::place_of(std::uint32_t node) {
  if (place_[node] == kNone) {
    place_[node] = static_cast<std::uint32_t>(batch_.nodes.size());
    batch_.nodes.push_back(node);
  }
  ++uses_[node];
  return place_[node];
}

const PairBatch& LightGcnTrainer::draw(std::int64_t batch) {
  for (const std::uint32_t node : batch_.nodes) {
    place_[node] = kNone;
    uses_[node] = 0;
  }
  batch_ = PairBatch();
  const std::int64_t begin = batch * options_.batch;
  const std::int64_t end =
      std::min(begin + options_.batch, static_cast<std::int64_t>(order_.size()));
  for (std::int64_t p = begin; p < end; ++p) {
    const std::uint32_t cell = order_[static_cast<std::size_t>(p)];
    batch_.persons.push_back(place_of(row_of_[cell]));
    batch_.items.push_back(place_of(graph_.item_node(interactions_.by_row.columns[cell])));
  }
  const Random random = run_.random.fork("lightgcn/negatives")
                            .fork(static_cast<std::uint64_t>(epoch_))
                            .fork(static_cast<std::uint64_t>(batch));
  if (options_.loss == "bpr") {
    draw_one_each(random, begin, end);
  } else {
    draw_shared(random);
    drop_own(begin, end);
  }
  return batch_;
}

void LightGcnTrainer::draw_one_each(const Random& random, std::int64_t begin, std::int64_t end) {
  for (std::int64_t p = begin; p < end; ++p) {
    const auto own = items_of_pair(p);
    std::uint32_t item = 0;
    for (std::uint64_t t = 0; t < kTries; ++t) {
      const std::uint64_t draw = static_cast<std::uint64_t>(p - begin) * kTries + t;
      item = static_cast<std::uint32_t>(random.below(draw, interactions_.items));
      if (!std::binary_search(own.begin(), own.end(), item)) break;
    }
    batch_.negatives.push_back(place_of(graph_.item_node(item)));
  }
}

void LightGcnTrainer::draw_shared(const Random& random) {
  const auto& taken = interactions_.by_row.columns;
  const auto count = static_cast<std::uint32_t>(options_.negatives);
  if (count < interactions_.items) {
    for (std::uint32_t n = 0; n < count; ++n) {
      const std::uint32_t item = taken[random.below(n, taken.size())];
      batch_.negatives.push_back(place_of(graph_.item_node(item)));
    }
    return;
  }
  const double draws = static_cast<double>(count) / static_cast<double>(taken.size());
  for (std::uint32_t item = 0; item < interactions_.items; ++item) {
    const auto persons = static_cast<double>(interactions_.by_item.row(item).size());
    if (persons == 0) continue;
    batch_.negatives.push_back(place_of(graph_.item_node(item)));
    batch_.log_weights.push_back(static_cast<float>(std::log(draws * persons)));
  }
}

// A person's own items are no negatives of theirs.
void LightGcnTrainer::drop_own(std::int64_t begin, std::int64_t end) {
  const auto item_of = [&](std::uint32_t place) {
    return batch_.nodes[place] - graph_.item_node(0);
  };
  const auto count = static_cast<std::uint32_t>(batch_.negatives.size());
  column_before_.resize(count);
  for (std::uint32_t n = 0; n < count; ++n) {
    std::uint32_t& last = column_of_[item_of(batch_.negatives[n])];
    column_before_[n] = std::exchange(last, n);
  }
  batch_.dropped_offsets.push_back(0);
  for (std::int64_t p = begin; p < end; ++p) {
    for (const std::uint32_t item : items_of_pair(p)) {
      for (std::uint32_t n = column_of_[item]; n != kNone; n = column_before_[n]) {
        batch_.dropped.push_back(n);
      }
    }
    batch_.dropped_offsets.push_back(static_cast<std::int64_t>(batch_.dropped.size()));
  }
  for (const std::uint32_t place : batch_.negatives) column_of_[item_of(place)] = kNone;
}

double LightGcnTrainer::step(std::int64_t batch) {
  draw(batch);
  const auto rows = static_cast<std::int64_t>(batch_.nodes.size());
  Matrix vectors(rows, options_.factors), gradient(rows, options_.factors);
  graph_.forward(embeddings_, batch_.nodes, vectors);
  const double loss = options_.loss == "bpr"
                          ? bpr_loss(run_.pool, batch_, vectors, gradient)
                          : softmax_loss(run_.pool, batch_, vectors,
                                         static_cast<float>(options_.temperature), gradient);
  const double progress =
      (epoch_ + static_cast<double>(batch) / static_cast<double>(batches())) / options_.epochs;
  adam_.begin_step(options_.learning_rate * (1 - progress));
  const float share = static_cast<float>(options_.l2) / static_cast<float>(batch_.pairs());
  graph_.backward(batch_.nodes, gradient, [&](std::int64_t node, std::span<float> row) {
    const std::span<float> e = embeddings_.row(node);
    const float shrink = share * static_cast<float>(uses_[static_cast<std::size_t>(node)]);
    for (std::size_t c = 0; c < row.size(); ++c) row[c] += shrink * e[c];
    adam_.update(node, row, e);
  });
  return loss;
}

}  // namespace vitrine
