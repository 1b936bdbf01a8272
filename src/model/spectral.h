// Graph filters on the user-item graph, without training: a history is a signal on the items,
// smoothed by one walk to the persons who share them and back, and corrected in the leading
// singular vectors of the normalised interactions, where every other filter differs from that walk.
//
// With R the interactions, n_u and f_i the sums of its rows and columns, p the person_exponent and
// b the item_exponent,
//
//   N = D_n^(-p/2) R D_f^-b,    N near U S V^T (rank vectors),    L = S^2,  l = its largest
// and e^-T the matrix of e^(-T (L - its last) / l), T: sharpening,
//
//   score(x) = ( walk + blur + sharpen ) D_f^popularity
//   walk     x N^T N                               exact, by two sparse products
//   sharpen  x V L (e^-T - 1) V^T                  the leading vectors dampened, the last one not
//   blur     a l  x D_f^-b V e^-T V^T D_f^b        a: ideal
//
// Settings give the published filters: GF-CF (Shen et al., "How powerful is graph convolution for
// recommendation?", CIKM 2021) is p 1, b 1/2, ideal 0.3, sharpening 0, rank 256; BSPM (Choi et al.,
// "Blurring-sharpening process models for collaborative filtering", SIGIR 2023) adds sharpening,
// here the exact solution of its equation dB/dT = -B L in the leading vectors, where L is large
// enough to matter; the linear Turbo-CF (Park et al., SIGIR 2024) is p 2a, b 1 - a with neither.
// `popularity` undoes part of the division by the frequency of what is listed.
//
// x holds the distinct known items of the history (1, or their best weight where the interactions
// are not binary), so whoever came after training is answered like anyone else. Only items with
// interactions are listed; others score 0, and a history without one gives an empty list.
//
// Fitting costs the truncated SVD (base/svd.h), and nothing with rank 0. A request costs the
// entries of the persons who share an item with the history, and rank multiply-adds per item.
// Memory: the interactions both ways and rank floats per item; fitting, 2.2 rank floats per person
// and item, kExhausted before it starts when that is above memory_limit_mb. The same bytes for any
// number of threads.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct SpectralOptions {
  double person_exponent = 0.7;
  double item_exponent = 0.5;
  double popularity = 0.3;
  double ideal = 0;
  double sharpening = 2;
  int rank = 64;
  int iterations = 3;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "spectral";
  static constexpr auto fields() {
    using O = SpectralOptions;
    return std::tuple{
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "a person's weight falls by this power of what they took; 1 is GF-CF's"},
        Field{"item_exponent", &O::item_exponent, 0.0, 1.0,
              "an item's weight falls by this power of its frequency; 0.5 is GF-CF's"},
        Field{"popularity", &O::popularity, -1.0, 1.0,
              "the power of its frequency that an item's score is multiplied by"},
        Field{"ideal", &O::ideal, 0.0, 100.0,
              "weight of the ideal low-pass filter beside the walk; 0.3 is GF-CF's"},
        Field{"sharpening", &O::sharpening, 0.0, 20.0,
              "how far the leading vectors, what everybody likes, are dampened"},
        Field{"rank", &O::rank, 0, 4096, "singular vectors that ideal and sharpening work on"},
        Field{"iterations", &O::iterations, 0, 20, "of the truncated SVD"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when the blocks of the SVD would be larger"}};
  }
};

Result<std::unique_ptr<const Model>> fit_spectral(const Run& run, const SpectralOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_spectral(ArchiveReader& reader, const Catalogue&);

}  // namespace vitrine
