#include "nn/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/finite.h"

namespace vitrine::nn {

Parameters::Parameters(const Parameters& other) {
  for (const Parameter& p : other.all_) {
    Matrix value(p.value.rows(), p.value.cols());
    std::copy_n(p.value.data(), p.value.bytes() / sizeof(float), value.data());
    all_.push_back({p.name, std::move(value), p.update});
  }
}

ParameterId Parameters::add(std::string name, std::int64_t rows, std::int64_t cols, Update update) {
  for (const Parameter& p : all_) VT_CHECK(p.name != name);
  all_.push_back({std::move(name), Matrix(rows, cols), update});
  return {static_cast<std::int32_t>(all_.size()) - 1};
}

double Parameters::bytes() const {
  double sum = 0;
  for (const Parameter& p : all_) sum += static_cast<double>(p.value.bytes());
  return sum;
}

bool Parameters::finite() const {
  return std::all_of(all_.begin(), all_.end(), [](const Parameter& p) {
    return all_finite({p.value.data(), p.value.bytes() / sizeof(float)});
  });
}

void Parameters::fill_normal(ParameterId id, const Random& random, double deviation) {
  Matrix& value = (*this)[id];
  const Random own = random.fork(name(id));
  for (std::int64_t r = 0; r < value.rows(); ++r) {
    for (std::int64_t c = 0; c < value.cols(); ++c) {
      const auto index = static_cast<std::uint64_t>(r * value.cols() + c);
      value(r, c) = static_cast<float>(deviation * own.normal(index));
    }
  }
}

void Parameters::fill_glorot(ParameterId id, const Random& random) {
  const Matrix& value = (*this)[id];
  fill_normal(id, random, std::sqrt(2.0 / static_cast<double>(value.rows() + value.cols())));
}

void Parameters::fill(ParameterId id, float number) {
  Matrix& value = (*this)[id];
  for (std::int64_t r = 0; r < value.rows(); ++r) {
    std::fill(value.row(r).begin(), value.row(r).end(), number);
  }
}

void Parameters::save(ArchiveWriter& writer, std::string_view prefix) const {
  for (const Parameter& p : all_) {
    save_matrix(writer, std::string(prefix) + "/" + p.name, p.value);
  }
}

Status Parameters::load(const ArchiveReader& reader, std::string_view prefix) {
  for (Parameter& p : all_) {
    VT_TRY(load_matrix(reader, std::string(prefix) + "/" + p.name, p.value));
  }
  return {};
}

void save_matrix(ArchiveWriter& writer, const std::string& name, const Matrix& matrix) {
  if (matrix.stride() == matrix.cols()) {
    const auto size = static_cast<std::size_t>(matrix.rows() * matrix.cols());
    writer.tensor(name, std::span<const float>(matrix.data(), size),
                  {matrix.rows(), matrix.cols()});
    return;
  }
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(matrix.rows() * matrix.cols()));
  for (std::int64_t r = 0; r < matrix.rows(); ++r) {
    values.insert(values.end(), matrix.row(r).begin(), matrix.row(r).end());
  }
  writer.tensor(name, values, {matrix.rows(), matrix.cols()});
}

Status load_matrix(const ArchiveReader& reader, const std::string& name, Matrix& matrix) {
  VT_TRY(const auto values, reader.tensor<float>(name));
  VT_TRY(const auto shape, reader.shape(name));
  if (shape != std::vector<std::int64_t>{matrix.rows(), matrix.cols()}) {
    return Error{Code::kCorrupt, name + " has another shape than the model's options say"};
  }
  if (!all_finite(values.span())) return Error{Code::kCorrupt, name + " is not finite"};
  for (std::int64_t r = 0; r < matrix.rows(); ++r) {
    const auto row = values.subspan(static_cast<std::size_t>(r * matrix.cols()),
                                    static_cast<std::size_t>(matrix.cols()));
    std::copy(row.begin(), row.end(), matrix.row(r).begin());
  }
  return {};
}

}  // namespace vitrine::nn
