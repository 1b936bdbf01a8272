// SASRec: a causal transformer over a history that predicts the next item. Kang, McAuley,
// "Self-attentive sequential recommendation", ICDM 2018, in its strong form: many negatives and a
// softmax over them (Klenitskiy, Vasilev, "Turning dross into gold loss", RecSys 2023), pre-norm or
// gated blocks (eSASRec), and, as settings, biases of distance and time (HSTU), event types and
// values as inputs. transformer_network.h has the network, sequence_task.h the training,
// sequence_model.h the serving.
#pragma once

#include "model/model.h"
#include "model/sequence_task.h"
#include "model/transformer_network.h"

namespace vitrine {

struct SasrecOptions : SequenceOptions {
  int blocks = 2;
  int heads = 1;
  int hidden = 1;
  bool gated = false;
  bool positions = true;
  bool distance_bias = false;
  bool time_bias = false;
  bool event_types = false;
  bool event_values = false;

  SasrecOptions() {
    epochs = 20;
    batch = 128;
  }

  static constexpr std::string_view kName = "sasrec";
  static constexpr auto fields() {
    using O = SasrecOptions;
    return std::tuple_cat(
        sequence_fields(),
        std::tuple{Field{"blocks", &O::blocks, 1, 16, "of attention and feed-forward"},
                   Field{"heads", &O::heads, 1, 16, "of attention; they divide `factors`"},
                   Field{"hidden", &O::hidden, 1, 8, "width of the feed-forward, in `factors`"},
                   Field{"gated", &O::gated, "gated blocks (eSASRec) instead of pre-norm ones"},
                   Field{"positions", &O::positions, "learn a vector for each position"},
                   Field{"distance_bias", &O::distance_bias, "bias attention by the distance"},
                   Field{"time_bias", &O::time_bias, "bias attention by the time between events"},
                   Field{"event_types", &O::event_types, "tell views from purchases"},
                   Field{"event_values", &O::event_values, "read ratings or quantities"}});
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when heads do not divide factors or
// the loss was not finite.
Result<std::unique_ptr<const Model>> fit_sasrec(const Run& run, const SasrecOptions& options,
                                                const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_sasrec(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine
