// What variational autoencoders over a person's items share: a network from the items to a
// distribution of a latent vector, and from a latent vector to a row that scores items by products.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/tape.h"

namespace vitrine {

// Persons as bags of known items, one behind the other.
struct PersonBags {
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint32_t> items;
  std::vector<float> weights;  // of length 1 for each person

  void clear() {
    offsets.assign(1, 0);
    items.clear();
    weights.clear();
  }
};

class VaeNetwork {
 public:
  virtual ~VaeNetwork() = default;
  struct Posterior {
    nn::Var mean, log_variance;  // (persons x latent)
  };
  // `bags` must stay until the optimiser's step.
  virtual Posterior encode(nn::Tape& tape, const PersonBags& bags, float dropout) const = 0;
  // Rows that score: row . items()[i], whose last column meets a 1.
  virtual nn::Var decode(nn::Tape& tape, nn::Var latent) const = 0;
  virtual void initialize(nn::Parameters& parameters, const Random& random) const = 0;
  virtual nn::ParameterId items() const = 0;  // (items x (width + 1)), the last column a bias
};

}  // namespace vitrine
