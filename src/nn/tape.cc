#include "nn/tape.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace vitrine::nn {
namespace {

constexpr std::size_t kAlignment = 64, kChunk = std::size_t{1} << 20;

}  // namespace

void Arena::Free::operator()(std::byte* p) const { std::free(p); }

void Arena::add(std::size_t bytes) {
  const std::size_t size = std::max(kChunk, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
  if (data == nullptr) throw std::bad_alloc();
  chunks_.push_back({std::unique_ptr<std::byte, Free>(data), size});
  used_ = 0;
}

void* Arena::allocate(std::size_t bytes) {
  if (chunks_.empty() || used_ + bytes > chunks_.back().size) {
    // Chunks grow, so that there are few of them before clear() makes one of all.
    add(std::max(bytes, chunks_.empty() ? kChunk : chunks_.back().size));
  }
  std::byte* place = chunks_.back().data.get() + used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  used_ = std::min(used_, chunks_.back().size);
  return place;
}

void Arena::clear() {
  if (chunks_.size() > 1) {
    std::size_t total = 0;
    for (const Chunk& chunk : chunks_) total += chunk.size;
    chunks_.clear();
    add(total);
  }
  used_ = 0;
}

Tape::Tape(const Parameters& parameters, const Operations& operations)
    : parameters_(&parameters), operations_(&operations) {}

void Tape::begin(Mode mode, const Random& random) {
  mode_ = mode;
  random_ = random;
  draws_ = 0;
  loss_ = 0;
  arena_.clear();
  nodes_.clear();
  row_gradients_.clear();
  whole_.resize(parameters_->size());
  fresh_.assign(parameters_->size(), 0);
}

Var Tape::make(std::int64_t rows, std::int64_t cols) {
  nodes_.push_back({scratch(rows * cols), nullptr, rows, cols, cols, nullptr, nullptr});
  return {static_cast<std::int32_t>(nodes_.size()) - 1};
}

Var Tape::zeros(std::int64_t rows, std::int64_t cols) {
  const Var v = make(rows, cols);
  std::fill_n(value(v), rows * cols, 0.0f);
  return v;
}

Var Tape::parameter(ParameterId id) {
  const Matrix& m = (*parameters_)[id];
  // Never written through: gradients have their own matrix.
  nodes_.push_back(
      {const_cast<float*>(m.data()), nullptr, m.rows(), m.cols(), m.stride(), nullptr, nullptr});
  const Var v{static_cast<std::int32_t>(nodes_.size()) - 1};
  if (training()) node(v).gradient = parameter_gradient(id);
  return v;
}

float* Tape::gradient(Var v) {
  Node& n = node(v);
  if (n.gradient == nullptr) {
    const std::int64_t size = n.rows * n.cols;
    float* place = scratch(size);  // may move no node
    std::fill_n(place, size, 0.0f);
    n.gradient = place;
  }
  return n.gradient;
}

float* Tape::scratch(std::int64_t numbers) {
  const auto bytes = static_cast<std::size_t>(numbers) * sizeof(float);
  return static_cast<float*>(arena_.allocate(std::max<std::size_t>(bytes, sizeof(float))));
}

void Tape::backward() {
  VT_CHECK(training());
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Node n = nodes_[i];
    if (n.back != nullptr && n.gradient != nullptr) n.back(*this, n.closure);
  }
}

float* Tape::parameter_gradient(ParameterId id) {
  const auto place = static_cast<std::size_t>(id.index);
  Matrix& gradient = whole_[place];
  if (fresh_[place] == 0) {
    const Matrix& m = (*parameters_)[id];
    if (gradient.rows() != m.rows() || gradient.cols() != m.cols())
      gradient = Matrix(m.rows(), m.cols());
    else
      std::memset(gradient.data(), 0, gradient.bytes());
    fresh_[place] = 1;
  }
  return gradient.data();
}

const Matrix* Tape::whole_gradient(ParameterId id) const {
  const auto place = static_cast<std::size_t>(id.index);
  return place < fresh_.size() && fresh_[place] != 0 ? &whole_[place] : nullptr;
}

void Tape::add_row_gradients(const RowGradients& gradients) { row_gradients_.push_back(gradients); }

}  // namespace vitrine::nn
