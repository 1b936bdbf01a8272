#include "model/sasrec.h"

#include "model/fit_sequence.h"

namespace vitrine {
namespace {

TransformerShape shape_of(const SasrecOptions& o, std::int64_t rows) {
  TransformerShape shape;
  shape.rows = rows;
  shape.width = o.factors;
  shape.heads = o.heads;
  shape.blocks = o.blocks;
  shape.hidden = std::int64_t{o.hidden} * o.factors;
  shape.length = o.length;
  shape.gated = o.gated;
  shape.positions = o.positions;
  shape.types = o.event_types;
  shape.values = o.event_values;
  shape.distances = o.distance_bias;
  shape.times = o.time_bias;
  shape.dropout = static_cast<float>(o.dropout);
  return shape;
}

std::unique_ptr<const SequenceNetwork> network_of(const SasrecOptions& options, std::int64_t rows,
                                                  nn::Parameters& parameters) {
  return std::make_unique<const TransformerNetwork>(shape_of(options, rows), parameters);
}

Status check(const SasrecOptions& options, std::int64_t rows) {
  VT_TRY(check_heads(SasrecOptions::kName, options.factors, options.heads));
  return check_sequence_memory(SasrecOptions::kName, options, [&](int factors) {
    SasrecOptions changed = options;
    changed.factors = factors;
    const TransformerShape shape = shape_of(changed, rows);
    return neural_bytes(TransformerNetwork::numbers_by_rows(shape),
                        TransformerNetwork::numbers_whole(shape));
  });
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_sasrec(const Run& run, const SasrecOptions& options,
                                                const TrainingSet& set) {
  VT_TRY(check(options, set.interactions.items));
  return fit_sequence(run, options, set, &network_of, {});
}

Result<std::unique_ptr<const Model>> load_sasrec(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(const auto saved, load_options<SasrecOptions>(reader));
  VT_TRY(check_loaded(check_heads(SasrecOptions::kName, saved.first.factors, saved.first.heads)));
  return load_sequence<SasrecOptions>(reader, &network_of, false);
}

}  // namespace vitrine
