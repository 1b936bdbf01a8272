#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vitrine::nn {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr std::int64_t kGrain = 1 << 16;  // numbers of one block of an update

ParameterId id_of(std::size_t place) { return {static_cast<std::int32_t>(place)}; }

std::int64_t numbers_of(const Matrix& m) { return m.rows() * m.stride(); }

}  // namespace

double schedule_share(Schedule schedule, std::int64_t step, std::int64_t warmup,
                      std::int64_t steps) {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto left = static_cast<double>(std::max<std::int64_t>(1, steps - warmup));
  const double done = std::min(1.0, static_cast<double>(step - warmup) / left);
  switch (schedule) {
    case Schedule::kLinear:
      return 1 - done;
    case Schedule::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * done));
    case Schedule::kConstant:
      break;
  }
  return 1;
}

Optimizer::Optimizer(Parameters& parameters, const AdamOptions& options)
    : parameters_(&parameters), options_(options) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const Matrix& m = parameters[id_of(p)];
    moments_.push_back({Matrix(m.rows(), m.cols()), Matrix(m.rows(), m.cols())});
  }
  touched_.resize(parameters.size());
  whole_.resize(parameters.size());
  sums_.resize(parameters.size());
}

double Optimizer::bytes() const { return 2 * parameters_->bytes(); }

void Optimizer::add_up_whole(ThreadPool& pool, std::span<Tape* const> tapes) {
  for (std::size_t p = 0; p < whole_.size(); ++p) {
    std::vector<const Matrix*> found;
    for (Tape* tape : tapes) {
      const Matrix* gradient = tape->whole_gradient(id_of(p));
      if (gradient != nullptr) found.push_back(gradient);
    }
    whole_[p] = found.empty() ? nullptr : found.front();
    if (found.size() < 2) continue;
    Matrix& sum = sums_[p];
    if (sum.rows() == 0) sum = Matrix(found.front()->rows(), found.front()->cols());
    const Operations& ops = tapes.front()->operations();
    parallel_for(pool, numbers_of(sum), kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::copy(found.front()->data() + begin, found.front()->data() + end, sum.data() + begin);
      for (std::size_t f = 1; f < found.size(); ++f)
        ops.add_scaled(end - begin, 1, found[f]->data() + begin, sum.data() + begin);
    });
    whole_[p] = &sum;
  }
}

void Optimizer::add_up_rows(std::span<Tape* const> tapes) {
  for (Touched& touched : touched_) {
    for (const std::uint32_t row : touched.rows) touched.place_of[row] = kNone;
    touched.rows.clear();
  }
  for (const Tape* tape : tapes) {
    for (const Tape::RowGradients& gradients : tape->row_gradients()) {
      const auto p = static_cast<std::size_t>(gradients.id.index);
      Touched& touched = touched_[p];
      const Matrix& value = (*parameters_)[gradients.id];
      if (touched.place_of.empty())
        touched.place_of.assign(static_cast<std::size_t>(value.rows()), kNone);
      const auto stride = static_cast<std::size_t>(value.stride());
      for (std::size_t i = 0; i < gradients.rows.size(); ++i) {
        std::uint32_t& place = touched.place_of[gradients.rows[i]];
        if (place == kNone) {
          place = static_cast<std::uint32_t>(touched.rows.size());
          touched.rows.push_back(gradients.rows[i]);
          if (touched.sums.size() < touched.rows.size() * stride)
            touched.sums.resize(2 * touched.rows.size() * stride);
          std::fill_n(touched.sums.begin() + static_cast<std::ptrdiff_t>(place * stride), stride,
                      0.0f);
        }
        tape->operations().add_scaled(
            value.cols(), gradients.scale,
            gradients.values + static_cast<std::int64_t>(i) * value.cols(),
            touched.sums.data() + place * stride);
      }
    }
  }
}

double Optimizer::squares() const {
  const Operations& ops = operations();
  double sum = 0;
  for (std::size_t p = 0; p < whole_.size(); ++p) {
    if (whole_[p] != nullptr) sum += ops.sum_of_squares(numbers_of(*whole_[p]), whole_[p]->data());
    const auto rows = static_cast<std::int64_t>(touched_[p].rows.size());
    if (rows > 0)
      sum += ops.sum_of_squares(rows * (*parameters_)[id_of(p)].stride(), touched_[p].sums.data());
  }
  return sum;
}

Status Optimizer::step(ThreadPool& pool, std::span<Tape* const> tapes, double share,
                       std::span<const std::uint8_t> frozen) {
  add_up_whole(pool, tapes);
  add_up_rows(tapes);
  double loss = 0;
  for (const Tape* tape : tapes) loss += tape->loss();
  const double norm = std::sqrt(squares());
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    return Error{Code::kInvalid, "the loss or its gradient is not finite at step " +
                                     std::to_string(steps_ + 1) + ": use a smaller learning_rate"};
  }
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double rate = options_.rate * share;
  const bool clipped = options_.clip > 0 && norm > options_.clip;
  const AdamStep adam{static_cast<float>(rate / (1 - std::pow(options_.first, t))),
                      static_cast<float>(options_.first),
                      static_cast<float>(options_.second),
                      static_cast<float>(options_.epsilon),
                      static_cast<float>(1 / (1 - std::pow(options_.second, t))),
                      static_cast<float>(rate * options_.decay),
                      static_cast<float>(clipped ? options_.clip / norm : 1)};
  const Operations& ops = operations();
  for (std::size_t p = 0; p < whole_.size(); ++p) {
    if (!frozen.empty() && frozen[p] != 0) continue;
    Matrix& value = (*parameters_)[id_of(p)];
    Moments& m = moments_[p];
    if (whole_[p] != nullptr) {
      parallel_for(pool, numbers_of(value), kGrain, [&](std::int64_t begin, std::int64_t end) {
        ops.adam(adam, end - begin, whole_[p]->data() + begin, value.data() + begin,
                 m.first.data() + begin, m.second.data() + begin);
      });
    }
    const Touched& touched = touched_[p];
    const std::int64_t stride = value.stride(), grain = std::max<std::int64_t>(1, kGrain / stride);
    parallel_for(pool, static_cast<std::int64_t>(touched.rows.size()), grain,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const auto row = std::int64_t{touched.rows[static_cast<std::size_t>(i)]};
                     ops.adam(adam, stride, touched.sums.data() + i * stride,
                              value.data() + row * stride, m.first.data() + row * stride,
                              m.second.data() + row * stride);
                   }
                 });
  }
  return {};
}

void Optimizer::save(ArchiveWriter& writer, std::string_view prefix) const {
  const std::string start(prefix);
  writer.document(start + "/steps", steps_);
  for (std::size_t p = 0; p < moments_.size(); ++p) {
    const std::string name = start + "/" + parameters_->name(id_of(p));
    save_matrix(writer, name + "/first", moments_[p].first);
    save_matrix(writer, name + "/second", moments_[p].second);
  }
}

Status Optimizer::load(const ArchiveReader& reader, std::string_view prefix) {
  const std::string start(prefix);
  VT_TRY(const Value steps, reader.document(start + "/steps"));
  if (steps.as_int() == nullptr || *steps.as_int() < 0)
    return Error{Code::kCorrupt, start + "/steps is no number of steps"};
  for (std::size_t p = 0; p < moments_.size(); ++p) {
    const std::string name = start + "/" + parameters_->name(id_of(p));
    VT_TRY(load_matrix(reader, name + "/first", moments_[p].first));
    VT_TRY(load_matrix(reader, name + "/second", moments_[p].second));
  }
  steps_ = *steps.as_int();
  return {};
}

}  // namespace vitrine::nn
