// Caser: convolutions over the latest few items that predict the next one. Tang, Wang,
// "Personalized top-N sequential recommendation via convolutional sequence embedding", WSDM 2018,
// without vectors of persons. caser_network.h has the network, sequence_task.h the training,
// sequence_model.h the serving.
#pragma once

#include "model/caser_network.h"
#include "model/model.h"
#include "model/sequence_task.h"

namespace vitrine {

struct CaserOptions : SequenceOptions {
  int recent = 4;
  int filters = 16;

  CaserOptions() {
    epochs = 10;
    batch = 128;
    dropout = 0.2;
    negative_exponent = 0.5;
    log_q = true;
  }

  static constexpr std::string_view kName = "caser";
  static constexpr auto fields() {
    using O = CaserOptions;
    return std::tuple_cat(
        sequence_fields(),
        std::tuple{Field{"recent", &O::recent, 1, 20, "latest items that are convolved"},
                   Field{"filters", &O::filters, 1, 256, "of each height from 1 to `recent`"}});
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when the loss was not finite.
Result<std::unique_ptr<const Model>> fit_caser(const Run& run, const CaserOptions& options,
                                               const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_caser(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine
