// Graph convolution on the user-item graph without weights in between (He et al., "LightGCN:
// simplifying and powering graph convolution network for recommendation", SIGIR 2020, equations
// 7 and 8). With A the symmetric 0/1 adjacency of persons and items and D its degrees,
//
//   P = (S^F + ... + S^L) / (L + 1 - F),   S = D^-1/2 A D^-1/2,   F = 0 or 1
//
// maps the embeddings of all nodes to their final vectors, and, being symmetric, the gradient with
// respect to the final vectors back to the one with respect to the embeddings. Evaluated by
// Horner's rule, y <- e + S y, one product per layer; F = 1 leaves out the last sum.
//
// Nodes are the rows of `interactions`, then its items. An interaction counts once, whatever its
// weight. A node without interactions keeps a share of its embedding, or becomes 0 with F = 1.
//
// One product reads a row for each of the 2 |A| directed edges: what the speed of everything above
// it comes down to. Between layers rows are bfloat16 (all() excepted): half the bytes, and all of
// Gowalla in a third-level cache. A training step knows which nodes its loss looks at: the last
// forward product makes only these, and the first backward product reads only these.
//
// The same bytes for any number of threads. Not thread-safe: one call at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "base/parallel.h"
#include "data/histories.h"

namespace vitrine {

class GraphPropagation {
 public:
  // `interactions` must outlive it. Works for vectors of `width` floats. `own`: the embedding
  // itself is one of the layers (F = 0), always so where there are no others.
  GraphPropagation(ThreadPool& pool, const Interactions& interactions, int layers, bool own,
                   std::int64_t width);

  std::int64_t nodes() const { return persons_ + items_; }
  std::uint32_t item_node(std::uint32_t item) const {
    return static_cast<std::uint32_t>(persons_) + item;
  }

  // P times embeddings (nodes x width), in float32.
  Matrix all(const Matrix& embeddings);

  // Rows `nodes` (distinct) of P times embeddings, in their order.
  void forward(const Matrix& embeddings, std::span<const std::uint32_t> nodes, Matrix& out);

  // P times the matrix that holds row i of `gradient` at node nodes[i] and zero elsewhere. Each row
  // of the product is handed to use(node, row) once, to do with as it likes, on any thread of the
  // pool. `gradient` is left divided by the number of layers.
  using UseRow = std::function<void(std::int64_t node, std::span<float> row)>;
  void backward(std::span<const std::uint32_t> nodes, Matrix& gradient, const UseRow& use);

 private:
  // Rows of one product's input, each times its node's D^-1/2, so that edges need no weights.
  template <class T>
  struct Table {
    std::vector<T> values;
    std::int64_t stride;
    T* row(std::int64_t node) { return values.data() + node * stride; }
    const T* row(std::int64_t node) const { return values.data() + node * stride; }
  };
  using Half = Table<std::uint16_t>;

  template <class T>
  Table<T> table(std::int64_t rows) const;
  template <class T>
  void fill(const Matrix& values, Table<T>& out) const;
  template <class T, class Use>
  void multiply(const Table<T>& from, Use use) const;
  template <class Use>
  void multiply_few(std::span<const std::uint32_t> nodes, const Matrix& gradient, Use use);
  void add_gradient(std::int64_t node, std::int64_t layer, const Matrix& gradient,
                    std::span<float> sums) const;
  // Whether the sum of Horner's rule follows the product of `layer`, counted from 1.
  bool adds(std::int64_t layer) const { return own_ || layer < layers_; }
  float share() const { return 1 / static_cast<float>(layers_ + (own_ ? 1 : 0)); }
  std::span<const std::uint32_t> neighbours(std::int64_t node) const {
    return node < persons_ ? interactions_.by_row.row(static_cast<std::size_t>(node))
                           : interactions_.by_item.row(static_cast<std::size_t>(node - persons_));
  }
  // The first node that a neighbour's number counts from.
  std::int64_t across(std::int64_t node) const { return node < persons_ ? persons_ : 0; }

  ThreadPool& pool_;
  const Interactions& interactions_;
  std::int64_t persons_, items_, layers_, width_;
  bool own_;
  std::size_t degree_max_ = 0;
  std::vector<float> scale_;          // D^-1/2 by node; 0 without interactions
  Half from_, to_;                    // input and output of a product
  std::vector<std::uint32_t> place_;  // by node: its place in `nodes`, or kNone
  Half few_;                          // the gradient's rows, scaled, by place
};

}  // namespace vitrine
