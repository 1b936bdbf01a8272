// GRU4Rec: gated recurrent units over a history that predict the next item. Hidasi et al.,
// "Session-based recommendations with recurrent neural networks", ICLR 2016; Hidasi, Karatzoglou,
// "Recurrent neural networks with top-k gains for session-based recommendations", CIKM 2018. As in
// the authors' implementation: cross-entropy or BPR-max over further negatives, drawn by popularity
// to a power, with the correction for how often they are drawn, and one embedding that reads and
// scores. gru_network.h has the network, sequence_task.h the training, sequence_model.h the
// serving.
#pragma once

#include "model/gru_network.h"
#include "model/model.h"
#include "model/sequence_task.h"

namespace vitrine {

struct Gru4RecOptions : SequenceOptions {
  int layers = 1;
  int units = 0;
  double embedding_dropout = 0;

  Gru4RecOptions() {
    epochs = 20;
    batch = 128;
    dropout = 0.2;
    negative_exponent = 0.5;
    log_q = true;
  }

  static constexpr std::string_view kName = "gru4rec";
  static constexpr auto fields() {
    using O = Gru4RecOptions;
    return std::tuple_cat(
        sequence_fields(),
        std::tuple{Field{"layers", &O::layers, 1, 8, "of recurrent units"},
                   Field{"units", &O::units, 0, 4096, "of a layer; 0: as many as `factors`"},
                   Field{"embedding_dropout", &O::embedding_dropout, 0.0, 0.95,
                         "share of the items' values left out while fitting"}});
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when the loss was not finite.
Result<std::unique_ptr<const Model>> fit_gru4rec(const Run& run, const Gru4RecOptions& options,
                                                 const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_gru4rec(ArchiveReader& reader,
                                                  const Catalogue& catalogue);

}  // namespace vitrine
