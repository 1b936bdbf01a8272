// BERT4Rec: a transformer that sees a whole history, fitted to name hidden items from all around
// them; to answer, a hidden item is put behind the history. Sun et al., "BERT4Rec: sequential
// recommendation with bidirectional encoder representations from transformer", CIKM 2019, with the
// softmax over sampled negatives of Petrov and Macdonald (RecSys 2022, 2023). The blocks are those
// of sasrec (transformer_network.h), attention is not causal.
#pragma once

#include "model/model.h"
#include "model/sequence_task.h"

namespace vitrine {

struct Bert4recOptions : SequenceOptions {
  int blocks = 2;
  int heads = 1;
  int hidden = 1;
  double hidden_share = 0.3;
  bool distance_bias = false;

  Bert4recOptions() {
    epochs = 20;
    batch = 128;
    dropout = 0.3;
  }

  static constexpr std::string_view kName = "bert4rec";
  static constexpr auto fields() {
    using O = Bert4recOptions;
    return std::tuple_cat(
        sequence_fields(),
        std::tuple{Field{"blocks", &O::blocks, 1, 16, "of attention and feed-forward"},
                   Field{"heads", &O::heads, 1, 16, "of attention; they divide `factors`"},
                   Field{"hidden", &O::hidden, 1, 8, "width of the feed-forward, in `factors`"},
                   Field{"hidden_share", &O::hidden_share, 0.01, 1.0,
                         "of a history's items that are hidden; at least its last is"},
                   Field{"distance_bias", &O::distance_bias, "bias attention by the distance"}});
  }
};

// As fit_sasrec().
Result<std::unique_ptr<const Model>> fit_bert4rec(const Run& run, const Bert4recOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_bert4rec(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine
