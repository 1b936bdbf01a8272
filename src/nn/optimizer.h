// Adam (Kingma, Ba, ICLR 2015) and AdamW (Loshchilov, Hutter, ICLR 2019) over the gradients that
// one or several tapes left. Matrices of Update::kWhole are updated whole; of Update::kRows only
// the rows that were gathered, with the moments of then ("lazy"), which costs what a step touches.
//
// The gradients of the tapes are added in their order: the same bytes for any number of threads.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/run.h"
#include "nn/tape.h"

namespace vitrine::nn {

struct AdamOptions {
  double rate = 1e-3;
  double first = 0.9, second = 0.999, epsilon = 1e-8;  // decay of the moments
  double decay = 0;  // of AdamW: values shrink by rate * decay in a step
  double clip = 0;   // the norm of the whole gradient is bounded by it; 0: it is not
};

// The share of the rate at a step: rises in a line over `warmup` steps, then stays, falls in a line
// to 0, or along a cosine.
enum class Schedule { kConstant, kLinear, kCosine };
double schedule_share(Schedule schedule, std::int64_t step, std::int64_t warmup,
                      std::int64_t steps);

class Optimizer {
 public:
  // `parameters` must outlive it, and has all its matrices.
  Optimizer(Parameters& parameters, const AdamOptions& options);

  // One step with `share` of the rate. kInvalid where the loss or the gradient is not finite: the
  // parameters are then as before. `frozen`, by parameter, or none: these stay as they are.
  Status step(ThreadPool& pool, std::span<Tape* const> tapes, double share,
              std::span<const std::uint8_t> frozen = {});
  std::int64_t steps() const { return steps_; }
  double bytes() const;

  // The moments and the number of steps: with the parameters, all that an exact resumption needs.
  void save(ArchiveWriter& writer, std::string_view prefix) const;
  Status load(const ArchiveReader& reader, std::string_view prefix);

 private:
  struct Moments {
    Matrix first, second;
  };
  // The rows that a step touches of one parameter, and their summed gradients.
  struct Touched {
    std::vector<std::uint32_t> place_of;  // by row: its place, or none
    std::vector<std::uint32_t> rows;
    std::vector<float> sums;  // rows x stride
  };
  void add_up_whole(ThreadPool& pool, std::span<Tape* const> tapes);
  void add_up_rows(std::span<Tape* const> tapes);
  double squares() const;

  Parameters* parameters_;
  AdamOptions options_;
  std::int64_t steps_ = 0;
  std::vector<Moments> moments_;
  std::vector<Touched> touched_;      // by parameter; of Update::kRows
  std::vector<const Matrix*> whole_;  // by parameter: the summed gradient, or none
  std::vector<Matrix> sums_;          // by parameter, where several tapes add up
};

}  // namespace vitrine::nn
