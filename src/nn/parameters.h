// What a network learns: named matrices. Reading is thread-safe; whoever changes them is alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "base/matrix.h"
#include "base/random.h"

namespace vitrine::nn {

// Names a parameter of one Parameters.
struct ParameterId {
  std::int32_t index = -1;
  bool exists() const { return index >= 0; }
};

// Which gradients a step has: of the whole matrix, or of the rows that it gathered (embeddings).
enum class Update { kWhole, kRows };

class Parameters {
 public:
  Parameters() = default;
  Parameters(Parameters&&) = default;
  explicit Parameters(const Parameters& other);  // copies are asked for by name
  Parameters& operator=(Parameters&&) = default;

  // Zero-filled. Names differ.
  ParameterId add(std::string name, std::int64_t rows, std::int64_t cols,
                  Update update = Update::kWhole);

  std::size_t size() const { return all_.size(); }
  Matrix& operator[](ParameterId id) { return all_[place(id)].value; }
  const Matrix& operator[](ParameterId id) const { return all_[place(id)].value; }
  const std::string& name(ParameterId id) const { return all_[place(id)].name; }
  Update update(ParameterId id) const { return all_[place(id)].update; }
  double bytes() const;
  bool finite() const;

  // Normal draws of a stream that carries the parameter's name.
  void fill_normal(ParameterId id, const Random& random, double deviation);
  // The deviation sqrt(2 / (rows + cols)) of Glorot and Bengio (AISTATS 2010).
  void fill_glorot(ParameterId id, const Random& random);
  void fill(ParameterId id, float value);

  // Under archive names "PREFIX/NAME". Loading wants the same names and shapes, and finite numbers:
  // kCorrupt otherwise.
  void save(ArchiveWriter& writer, std::string_view prefix) const;
  Status load(const ArchiveReader& reader, std::string_view prefix);

 private:
  struct Parameter {
    std::string name;
    Matrix value;
    Update update;
  };
  static std::size_t place(ParameterId id) { return static_cast<std::size_t>(id.index); }
  std::vector<Parameter> all_;
};

// A matrix as a tensor without its padding; reading checks the shape and that all is finite.
void save_matrix(ArchiveWriter& writer, const std::string& name, const Matrix& matrix);
Status load_matrix(const ArchiveReader& reader, const std::string& name, Matrix& matrix);

}  // namespace vitrine::nn
