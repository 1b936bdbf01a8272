#include "model/bert4rec.h"

#include "model/fit_sequence.h"
#include "model/transformer_network.h"

namespace vitrine {
namespace {

TransformerShape shape_of(const Bert4recOptions& o, std::int64_t rows) {
  TransformerShape shape;
  shape.rows = rows;
  shape.width = o.factors;
  shape.heads = o.heads;
  shape.blocks = o.blocks;
  shape.hidden = std::int64_t{o.hidden} * o.factors;
  shape.length = o.length;
  shape.causal = false;
  shape.distances = o.distance_bias;
  shape.dropout = static_cast<float>(o.dropout);
  return shape;
}

std::unique_ptr<const SequenceNetwork> network_of(const Bert4recOptions& options, std::int64_t rows,
                                                  nn::Parameters& parameters) {
  return std::make_unique<const TransformerNetwork>(shape_of(options, rows), parameters);
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_bert4rec(const Run& run, const Bert4recOptions& options,
                                                  const TrainingSet& set) {
  VT_TRY(check_heads(Bert4recOptions::kName, options.factors, options.heads));
  VT_TRY(check_sequence_memory(Bert4recOptions::kName, options, [&](int factors) {
    Bert4recOptions changed = options;
    changed.factors = factors;
    const TransformerShape shape = shape_of(changed, std::int64_t{set.interactions.items} + 1);
    return neural_bytes(TransformerNetwork::numbers_by_rows(shape),
                        TransformerNetwork::numbers_whole(shape));
  }));
  return fit_sequence(run, options, set, &network_of, {options.hidden_share});
}

Result<std::unique_ptr<const Model>> load_bert4rec(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(const auto saved, load_options<Bert4recOptions>(reader));
  VT_TRY(check_loaded(check_heads(Bert4recOptions::kName, saved.first.factors, saved.first.heads)));
  return load_sequence<Bert4recOptions>(reader, &network_of, true);
}

}  // namespace vitrine
