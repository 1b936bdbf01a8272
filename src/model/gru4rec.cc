#include "model/gru4rec.h"

#include "model/fit_sequence.h"

namespace vitrine {
namespace {

GruShape shape_of(const Gru4RecOptions& o, std::int64_t rows) {
  GruShape shape;
  shape.rows = rows;
  shape.width = o.factors;
  shape.units = o.units > 0 ? o.units : o.factors;
  shape.layers = o.layers;
  shape.embedding_dropout = static_cast<float>(o.embedding_dropout);
  shape.dropout = static_cast<float>(o.dropout);
  return shape;
}

std::unique_ptr<const SequenceNetwork> network_of(const Gru4RecOptions& options, std::int64_t rows,
                                                  nn::Parameters& parameters) {
  return std::make_unique<const GruNetwork>(shape_of(options, rows), parameters);
}

// Of a token in a layer: gates of the input and of the state, what is kept, states, gradients.
constexpr double kNumbersOfUnit = 25;

Status check(const Gru4RecOptions& options, std::int64_t rows) {
  return check_sequence_memory(Gru4RecOptions::kName, options, [&](int factors) {
    Gru4RecOptions changed = options;
    changed.factors = factors;
    const GruShape shape = shape_of(changed, rows);
    const double tokens = static_cast<double>(options.batch) * options.length;
    const double units = static_cast<double>(shape.layers * shape.units) * kNumbersOfUnit;
    return neural_bytes(GruNetwork::numbers_by_rows(shape), GruNetwork::numbers_whole(shape)) +
           4 * tokens * units;
  });
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_gru4rec(const Run& run, const Gru4RecOptions& options,
                                                 const TrainingSet& set) {
  VT_TRY(check(options, set.interactions.items));
  return fit_sequence(run, options, set, &network_of, {});
}

Result<std::unique_ptr<const Model>> load_gru4rec(ArchiveReader& reader, const Catalogue&) {
  return load_sequence<Gru4RecOptions>(reader, &network_of, false);
}

}  // namespace vitrine
