// A tape: what a network computes is written down as it is computed, and read backwards for the
// gradients (reverse-mode differentiation). One tape serves one thread; several tapes may share
// Parameters, which only the optimiser changes, between the steps.
//
//   tape.begin(Tape::Mode::kTraining, random.fork(step));
//   Var x = gather(tape, embedding, items);
//   candidate_loss(tape, linear(tape, x, weight, bias), ...);
//   tape.backward();
//   optimizer.step({&tape, ...});
//
// Operations are free functions (dense.h, segments.h, losses.h). Values live until the next
// begin(), in memory that is kept, so that steps of like size allocate nothing. In Mode::kServing
// nothing is written down and dropout passes everything: the same network answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "base/matrix.h"
#include "base/random.h"
#include "nn/operations.h"
#include "nn/parameters.h"

namespace vitrine::nn {

// Memory that is handed out piece by piece and taken back all at once.
class Arena {
 public:
  void* allocate(std::size_t bytes);  // 64-byte aligned
  void clear();                       // keeps the memory
 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  struct Chunk {
    std::unique_ptr<std::byte, Free> data;
    std::size_t size;
  };
  void add(std::size_t bytes);
  std::vector<Chunk> chunks_;
  std::size_t used_ = 0;  // of the last chunk
};

// A matrix on the tape, row-major; valid until the tape's next begin().
struct Var {
  std::int32_t index = -1;
};

class Tape {
 public:
  enum class Mode { kTraining, kServing };

  explicit Tape(const Parameters& parameters, const Operations& operations = nn::operations());
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Forgets everything. `random` is the stream of dropout and of whatever else is drawn.
  void begin(Mode mode, const Random& random = Random(0));
  bool training() const { return mode_ == Mode::kTraining; }

  // A matrix to be filled in by the caller: not initialised.
  Var make(std::int64_t rows, std::int64_t cols);
  Var zeros(std::int64_t rows, std::int64_t cols);
  // A parameter as a matrix, not copied; its gradient is that of the whole.
  Var parameter(ParameterId id);

  std::int64_t rows(Var v) const { return node(v).rows; }
  std::int64_t cols(Var v) const { return node(v).cols; }
  std::int64_t stride(Var v) const { return node(v).stride; }  // cols, but for parameters
  std::int64_t size(Var v) const { return node(v).rows * node(v).cols; }
  float* value(Var v) { return node(v).value; }
  const float* value(Var v) const { return node(v).value; }
  MatrixView<const float> view(Var v) const {
    return {node(v).value, node(v).rows, node(v).cols, node(v).stride};
  }
  // Zero-filled at the first call of a step.
  float* gradient(Var v);

  // For those who write operations: `back` is called by backward() as back(tape), after everything
  // that used `v` and only if something did, and adds to the gradients of what `v` was made of. It
  // is copied bit by bit: capture pointers and numbers.
  template <class Back>
  void on_backward(Var v, Back back) {
    static_assert(std::is_trivially_copyable_v<Back> && std::is_trivially_destructible_v<Back>);
    if (!training()) return;
    node(v).closure = new (arena_.allocate(sizeof(Back))) Back(back);
    node(v).back = [](Tape& tape, void* closure) { (*static_cast<Back*>(closure))(tape); };
  }
  // Part of what is minimised. Its gradient is added at once to what it was made of, or in `back`.
  void add_loss(double value) { loss_ += value; }
  template <class Back>
  void add_loss(double value, Back back) {
    loss_ += value;
    if (!training()) return;
    const Var end = make(0, 0);
    gradient(end);
    on_backward(end, back);
  }
  float* scratch(std::int64_t numbers);  // until the next begin()
  // Room for as many, not initialised; until the next begin().
  template <class T>
  std::span<T> room(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    return {static_cast<T*>(arena_.allocate(count * sizeof(T) + 1)), count};
  }
  template <class T>
  std::span<const T> copy(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    T* place = static_cast<T*>(arena_.allocate(values.size_bytes() + 1));
    std::uninitialized_copy(values.begin(), values.end(), place);
    return {place, values.size()};
  }
  std::uint64_t draw() { return random_.bits(draws_++); }  // 64 bits of the stream
  const Operations& operations() const { return *operations_; }
  const Parameters& parameters() const { return *parameters_; }

  double loss() const { return loss_; }
  void backward();

  // What backward() left, for the optimiser. Rows may repeat; gradients of one are added up in
  // order.
  struct RowGradients {
    ParameterId id;
    std::span<const std::uint32_t> rows;
    const float* values;  // one row each, contiguous
    float scale;
  };
  float* parameter_gradient(ParameterId id);              // for adding to; as the parameter, padded
  const Matrix* whole_gradient(ParameterId id) const;     // null: none in this step
  void add_row_gradients(const RowGradients& gradients);  // `rows` and `values` stay until the step
  std::span<const RowGradients> row_gradients() const { return row_gradients_; }

 private:
  struct Node {
    float* value;
    float* gradient;
    std::int64_t rows, cols, stride;
    void (*back)(Tape&, void*);
    void* closure;
  };
  Node& node(Var v) { return nodes_[static_cast<std::size_t>(v.index)]; }
  const Node& node(Var v) const { return nodes_[static_cast<std::size_t>(v.index)]; }

  const Parameters* parameters_;
  const Operations* operations_;
  Mode mode_ = Mode::kServing;
  Random random_{0};
  std::uint64_t draws_ = 0;
  double loss_ = 0;
  Arena arena_;
  std::vector<Node> nodes_;
  std::vector<Matrix> whole_;        // by parameter; made when first needed
  std::vector<std::uint8_t> fresh_;  // by parameter: holds this step's gradient
  std::vector<RowGradients> row_gradients_;
};

}  // namespace vitrine::nn
