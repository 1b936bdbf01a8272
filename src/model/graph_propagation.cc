#include "model/graph_propagation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "index/bfloat16.h"

namespace vitrine {
namespace {

constexpr std::int64_t kGrain = 128;    // nodes of one block
constexpr std::size_t kAhead = 12;      // neighbours whose rows are on their way
constexpr std::int64_t kStrip = 64;     // columns whose sums stay in registers
constexpr std::int64_t kMultiple = 16;  // of the width of a table
constexpr std::uint32_t kNone = ~0u;

float widen(float value) { return value; }
float widen(std::uint16_t value) { return from_bfloat16(value); }
void narrow(float value, float& out) { out = value; }
void narrow(float value, std::uint16_t& out) { out = to_bfloat16(value); }

template <class T>
void prefetch(const T* row, std::int64_t columns) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t c = 0; c < columns; c += kLine) __builtin_prefetch(row + c);
}

// sums[0 .. Columns) = the sum of the given rows of a table, in their order.
template <std::int64_t Columns, class T>
void sum_strip(const T* table, std::int64_t stride, std::span<const std::uint32_t> rows,
               float* sums) {
  float total[Columns] = {};
  const std::size_t count = rows.size();
  for (std::size_t n = 0; n < count; ++n) {
    if (n + kAhead < count) prefetch(table + rows[n + kAhead] * stride, Columns);
    const T* row = table + rows[n] * stride;
    for (std::int64_t c = 0; c < Columns; ++c) total[c] += widen(row[c]);
  }
  std::copy_n(total, Columns, sums);
}

template <class T>
void sum_rows(const T* table, std::int64_t stride, std::span<const std::uint32_t> rows,
              float* sums) {
  std::int64_t c = 0;
  for (; c + kStrip <= stride; c += kStrip) sum_strip<kStrip>(table + c, stride, rows, sums + c);
  for (; c < stride; c += kMultiple) sum_strip<kMultiple>(table + c, stride, rows, sums + c);
}

}  // namespace

GraphPropagation::GraphPropagation(ThreadPool& pool, const Interactions& interactions, int layers,
                                   bool own, std::int64_t width)
    : pool_(pool),
      interactions_(interactions),
      persons_(static_cast<std::int64_t>(interactions.by_row.rows())),
      items_(interactions.items),
      layers_(layers),
      width_(width),
      own_(own || layers == 0),
      scale_(static_cast<std::size_t>(nodes())),
      from_(table<std::uint16_t>(nodes())),
      to_(table<std::uint16_t>(nodes())),
      place_(scale_.size(), kNone),
      few_(table<std::uint16_t>(0)) {
  for (std::size_t node = 0; node < scale_.size(); ++node) {
    const std::size_t degree = neighbours(static_cast<std::int64_t>(node)).size();
    degree_max_ = std::max(degree_max_, degree);
    scale_[node] = degree == 0 ? 0 : 1 / std::sqrt(static_cast<float>(degree));
  }
}

template <class T>
GraphPropagation::Table<T> GraphPropagation::table(std::int64_t rows) const {
  const std::int64_t stride = (width_ + kMultiple - 1) / kMultiple * kMultiple;
  return {std::vector<T>(static_cast<std::size_t>(rows * stride)), stride};
}

template <class T>
void GraphPropagation::fill(const Matrix& values, Table<T>& out) const {
  parallel_for(pool_, nodes(), 4 * kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t node = begin; node < end; ++node) {
      const float scale = scale_[static_cast<std::size_t>(node)];
      const float* row = values.data() + node * values.stride();
      T* to = out.row(node);
      for (std::int64_t c = 0; c < width_; ++c) narrow(scale * row[c], to[c]);
    }
  });
}

// Calls use(node, sums) with row `node` of A times `from`.
template <class T, class Use>
void GraphPropagation::multiply(const Table<T>& from, Use use) const {
  parallel_for(pool_, nodes(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<std::size_t>(from.stride));
    for (std::int64_t node = begin; node < end; ++node) {
      sum_rows(from.row(across(node)), from.stride, neighbours(node), sums.data());
      use(node, std::span<float>(sums));
    }
  });
}

Matrix GraphPropagation::all(const Matrix& embeddings) {
  Matrix out(nodes(), width_);
  std::copy_n(embeddings.data(), embeddings.rows() * embeddings.stride(), out.data());
  Table<float> from = table<float>(nodes());
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    fill(out, from);
    const float own = adds(layer + 1) ? 1 : 0;
    multiply(from, [&](std::int64_t node, std::span<const float> sums) {
      const float scale = scale_[static_cast<std::size_t>(node)];
      const float* e = embeddings.data() + node * embeddings.stride();
      float* row = out.data() + node * out.stride();
      for (std::int64_t c = 0; c < width_; ++c)
        row[c] = own * e[c] + scale * sums[static_cast<std::size_t>(c)];
    });
  }
  const float mean = share();
  for (std::int64_t i = 0; i < out.rows() * out.stride(); ++i) out.data()[i] *= mean;
  return out;
}

void GraphPropagation::forward(const Matrix& embeddings, std::span<const std::uint32_t> nodes,
                               Matrix& out) {
  if (layers_ > 0) fill(embeddings, from_);
  for (std::int64_t layer = 1; layer < layers_; ++layer) {
    multiply(from_, [&](std::int64_t node, std::span<const float> sums) {
      const float scale = scale_[static_cast<std::size_t>(node)];
      const float* e = embeddings.data() + node * embeddings.stride();
      std::uint16_t* row = to_.row(node);
      for (std::int64_t c = 0; c < width_; ++c) {
        row[c] = to_bfloat16(scale * (e[c] + scale * sums[static_cast<std::size_t>(c)]));
      }
    });
    std::swap(from_, to_);
  }
  const float mean = share(), own = adds(layers_) ? mean : 0;
  const auto count = static_cast<std::int64_t>(nodes.size());
  parallel_for(pool_, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<std::size_t>(from_.stride));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t node = nodes[static_cast<std::size_t>(i)];
      if (layers_ > 0) {
        sum_rows(from_.row(across(node)), from_.stride, neighbours(node), sums.data());
      }
      const float scale = scale_[static_cast<std::size_t>(node)];
      const float* e = embeddings.data() + node * embeddings.stride();
      float* row = out.data() + i * out.stride();
      for (std::int64_t c = 0; c < width_; ++c) {
        row[c] = own * e[c] + mean * scale * sums[static_cast<std::size_t>(c)];
      }
    }
  });
}

// The product of the first layer, g + S g or S g, where g is zero but for a few nodes: calls
// use(node, row) for every node.
template <class Use>
void GraphPropagation::multiply_few(std::span<const std::uint32_t> nodes, const Matrix& gradient,
                                    Use use) {
  const std::int64_t stride = from_.stride;
  few_.stride = stride;
  few_.values.resize(nodes.size() * static_cast<std::size_t>(stride));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const float* g = gradient.data() + static_cast<std::int64_t>(i) * gradient.stride();
    std::uint16_t* row = few_.row(static_cast<std::int64_t>(i));
    for (std::int64_t c = 0; c < width_; ++c) row[c] = to_bfloat16(scale_[nodes[i]] * g[c]);
  }
  parallel_for(pool_, this->nodes(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<std::size_t>(stride));
    std::vector<std::uint32_t> places(degree_max_ + 1);
    for (std::int64_t node = begin; node < end; ++node) {
      const std::uint32_t* place = place_.data() + across(node);
      std::size_t count = 0;
      for (const std::uint32_t neighbour : neighbours(node)) {
        places[count] = place[neighbour];
        count += place[neighbour] != kNone;
      }
      sum_rows(few_.values.data(), stride, {places.data(), count}, sums.data());
      add_gradient(node, 1, gradient, sums);
      use(node, std::span<float>(sums));
    }
  });
}

// sums <- D^-1/2 sums, plus g where Horner's rule adds after this layer.
void GraphPropagation::add_gradient(std::int64_t node, std::int64_t layer, const Matrix& gradient,
                                    std::span<float> sums) const {
  const float scale = scale_[static_cast<std::size_t>(node)];
  for (float& sum : sums) sum *= scale;
  const std::uint32_t own = place_[static_cast<std::size_t>(node)];
  if (own == kNone || !adds(layer)) return;
  const float* g = gradient.data() + own * gradient.stride();
  for (std::size_t c = 0; c < static_cast<std::size_t>(width_); ++c) sums[c] += g[c];
}

void GraphPropagation::backward(std::span<const std::uint32_t> nodes, Matrix& gradient,
                                const UseRow& use) {
  const float mean = share();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    place_[nodes[i]] = static_cast<std::uint32_t>(i);
    for (float& g : gradient.row(static_cast<std::int64_t>(i))) g *= mean;
  }
  const auto width = static_cast<std::size_t>(width_);
  const auto finish = [&](std::int64_t node, std::span<float> row) { use(node, row.first(width)); };
  const auto keep = [&](std::int64_t node, std::span<const float> row) {
    const float scale = scale_[static_cast<std::size_t>(node)];
    std::uint16_t* to = to_.row(node);
    for (std::size_t c = 0; c < width; ++c) to[c] = to_bfloat16(scale * row[c]);
  };
  if (layers_ == 0) {
    std::vector<float> row(width);
    for (std::int64_t node = 0; node < this->nodes(); ++node) {
      std::fill(row.begin(), row.end(), 0.0f);
      add_gradient(node, 0, gradient, row);
      use(node, row);
    }
  } else if (layers_ == 1) {
    multiply_few(nodes, gradient, finish);
  } else {
    multiply_few(nodes, gradient, keep);
    for (std::int64_t layer = 2; layer <= layers_; ++layer) {
      std::swap(from_, to_);
      const bool last = layer == layers_;
      multiply(from_, [&](std::int64_t node, std::span<float> sums) {
        add_gradient(node, layer, gradient, sums);
        last ? finish(node, sums) : keep(node, sums);
      });
    }
  }
  for (const std::uint32_t node : nodes) place_[node] = kNone;
}

}  // namespace vitrine
