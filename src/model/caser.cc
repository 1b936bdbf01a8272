#include "model/caser.h"

#include "model/fit_sequence.h"

namespace vitrine {
namespace {

CaserShape shape_of(const CaserOptions& o, std::int64_t rows) {
  CaserShape shape;
  shape.rows = rows;
  shape.width = o.factors;
  shape.recent = o.recent;
  shape.filters = o.filters;
  shape.dropout = static_cast<float>(o.dropout);
  return shape;
}

std::unique_ptr<const SequenceNetwork> network_of(const CaserOptions& options, std::int64_t rows,
                                                  nn::Parameters& parameters) {
  return std::make_unique<const CaserNetwork>(shape_of(options, rows), parameters);
}

// Of a token, with their gradients: the image as it grows, and the lines that are cut out of it for
// each height; what the filters say of each place.
double numbers_of_token(const CaserShape& s) {
  const std::int64_t n = s.recent;
  const std::int64_t lines = n * (n + 1) / 2 + n * (n + 1) * (n + 2) / 6;
  return 2 * static_cast<double>(lines * s.width + n * (n + 1) / 2 * 5 * s.filters);
}

Status check(const CaserOptions& options, std::int64_t rows) {
  return check_sequence_memory(CaserOptions::kName, options, [&](int factors) {
    CaserOptions changed = options;
    changed.factors = factors;
    const CaserShape shape = shape_of(changed, rows);
    const double tokens = static_cast<double>(options.batch) * options.length;
    return neural_bytes(CaserNetwork::numbers_by_rows(shape), CaserNetwork::numbers_whole(shape)) +
           4 * tokens * numbers_of_token(shape);
  });
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_caser(const Run& run, const CaserOptions& options,
                                               const TrainingSet& set) {
  VT_TRY(check(options, set.interactions.items));
  return fit_sequence(run, options, set, &network_of, {});
}

Result<std::unique_ptr<const Model>> load_caser(ArchiveReader& reader, const Catalogue&) {
  return load_sequence<CaserOptions>(reader, &network_of, false);
}

}  // namespace vitrine
