// Two towers: a vector of the history and a vector of the item, each from a small network, meet in
// a product, so that retrieval is a search over vectors that were computed once. Covington, Adams,
// Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016; Yi et al.,
// "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019.
//
//   m_H = sum_t w_t y_{i_t} / |w|     w_t = history_decay^(events after t)
//   u   = normal(m_H + U_2 relu(U_1 [m_H ; y_latest] + b) + b')
//   q_i = e_i + |A_i|^-1/2 sum_{a in A_i} f_a       A_i: the item's attributes of the catalogue
//   v_i = normal(q_i + V_2 relu(V_1 q_i + c) + c')
//   score(H, i) = u . v_i
//
// over the last `history_max` events of the history whose items training saw. Every event is
// predicted from those before it (`context = before`) or from all others of its person, as a
// softmax of scores over `temperature`, against the batch's other items with the correction
// ln(expected number of draws) of Yi et al., or against items drawn evenly. Adam. A shard of a
// batch (neural_training.h) is what shares candidates.
//
// With `attributes`, an item's own e_i is left out in `id_dropout` of its examples (Volkovs, Yu,
// Poutanen, "DropoutNet", NIPS 2017), so that attributes learn to stand alone: available items that
// nobody took, with an attribute that an item has that was taken, are listed by them (`new_items`).
// Other items without events are not listed and score 0; the list of a history without a known item
// is empty. Retrieval is index/scan.h: lists and scores agree to the bit. The same bytes for any
// number of threads.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "model/model.h"
#include "model/neural_training.h"

namespace vitrine {

struct TwoTowerOptions : NeuralOptions {
  int factors = 64;
  int hidden = 128;
  int history_max = 50;
  double history_decay = 0.9;
  bool latest = true;
  std::string context = "before";
  std::vector<std::string> attributes;
  double id_dropout = 0.1;
  bool new_items = true;
  std::string candidates = "batch";
  int negatives = 256;
  double temperature = 0.1;
  double dropout = 0.1;

  TwoTowerOptions() {
    epochs = 10;
    batch = 256;
    learning_rate = 0.002;
  }

  static constexpr std::string_view kName = "two_tower";
  static constexpr auto fields() {
    using O = TwoTowerOptions;
    return std::tuple_cat(
        std::tuple{
            Field{"factors", &O::factors, 1, 1024, "width of the vectors"},
            Field{"hidden", &O::hidden, 1, 4096, "width of each tower's hidden layer"},
            Field{"history_max", &O::history_max, 1, 10'000, "latest events that are looked at"},
            Field{"history_decay", &O::history_decay, 0.0, 1.0,
                  "an event weighs this much of the next one; 1: order does not matter"},
            Field{"latest", &O::latest, "the latest item enters by itself as well"},
            Field{"context", &O::context, "before|all",
                  "what an event is predicted from: those before it, or all others of the person "
                  "(where order means nothing)"},
            Field{"attributes", &O::attributes,
                  "what describes items: category, brand, tags, title, free attributes"},
            Field{"id_dropout", &O::id_dropout, 0.0, 0.9,
                  "how often an item is known by its attributes alone while learning"},
            Field{"new_items", &O::new_items, "list what nobody took yet, by its attributes"},
            Field{"candidates", &O::candidates, "batch|uniform",
                  "what the right item is told from: the batch's other items, or even draws"},
            Field{"negatives", &O::negatives, 1, 65'536, "of uniform, shared by a batch"},
            Field{"temperature", &O::temperature, 0.01, 10.0,
                  "of the softmax; less looks harder at the most similar items"},
            Field{"dropout", &O::dropout, 0.0, 0.9, "of the history's vector and hidden layers"}},
        neural_fields("events per step"));
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when it diverged.
Result<std::unique_ptr<const Model>> fit_two_tower(const Run& run, const TwoTowerOptions& options,
                                                   const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_two_tower(ArchiveReader& reader,
                                                    const Catalogue& catalogue);

}  // namespace vitrine
