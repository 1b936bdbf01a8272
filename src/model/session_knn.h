// Nearest sessions: what was taken in past sessions that resemble this one. Nothing is fitted but
// an inverted index from items to the sessions that hold them.
//
// A session is a list of distinct items in the order of their last events (at most the last
// kSessionItemsMax). For the session q that is asked about, the `sample` latest of all sessions
// that share an item with it are compared,
//
//   sim(s) = |s|^-length_exponent 2^(-age / half_life)
//            sum over the items i of both  w_i history_decay^(steps of i from the end of q)
//
// where w_i is the weight of the event and age the share of all sessions that are later than s
// ("half_life" 0.1: a session weighs half when a tenth of all came after it). The `neighbours` best
// vote, of equal ones the latest, and with m(s) the item of both that is the latest in q,
//
//   score(j) = n_j^-target_exponent  sum over s holding j   sim(s) match_decay^(steps of m(s) from
//              the end of q)  distance_decay^|p_s(j) - p_s(m)|  (backward if j came before m in s)
//
// with p_s the places in s and n_j the number of sessions that hold j. Items of q itself may be
// listed: whether they are shown is the policy of the placement.
//
// The published methods as settings (S-KNN: Jannach and Ludewig, RecSys 2017; V-SKNN: Ludewig and
// Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018; STAN: Garg et al.,
// "Sequence and time aware neighborhood for session-based recommendations", SIGIR 2019; VSTAN:
// Ludewig et al., UMUAI 2020). Their exp(-steps / lambda) is a decay of exp(-1 / lambda) per step.
//
//          history_decay  length_exponent  half_life  match_decay  distance_decay  target_exponent
//   S-KNN        1             0.5             0           1             1               0
//   V-SKNN      < 1            0               0          < 1            1              > 0
//   STAN        < 1            0.5            > 0          1            < 1              0
//   VSTAN       < 1            0.5            > 0         < 1           < 1             > 0
//
// Fitting is one pass. A request visits at most kSessionItemsMax * sample postings and
// neighbours * kSessionItemsMax items, whatever the size of the shop. Deterministic.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

inline constexpr std::size_t kSessionItemsMax = 100;

// The defaults were chosen on the last tenth of the training sessions of Diginetica.
struct SessionKnnOptions {
  std::string sessions = "groups";
  int neighbours = 500;
  int sample = 5000;
  double history_decay = 0.85;
  double length_exponent = 0.3;
  double half_life = 0;
  double match_decay = 0.5;
  double distance_decay = 0.9;
  double backward = 0.9;
  double target_exponent = 0.3;

  static constexpr std::string_view kName = "session_knn";
  static constexpr auto fields() {
    using O = SessionKnnOptions;
    return std::tuple{
        Field{"sessions", &O::sessions, "groups|histories",
              "what a session is: a basket or session of a history ([histories] group_by), or the "
              "whole history"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "sessions that vote"},
        Field{"sample", &O::sample, 1, 1'000'000,
              "latest sessions with a common item that are compared: bounds the cost of a request"},
        Field{"history_decay", &O::history_decay, 0.0, 1.0,
              "weight of a common item per step back from the end of the session"},
        Field{"length_exponent", &O::length_exponent, 0.0, 2.0,
              "similarity is divided by the length of the past session to this power; 0.5: cosine"},
        Field{"half_life", &O::half_life, 0.0, 100.0,
              "a session weighs half when this share of all sessions came later; 0: for ever"},
        Field{"match_decay", &O::match_decay, 0.0, 1.0,
              "weight of a past session per step from the end to the latest common item"},
        Field{"distance_decay", &O::distance_decay, 0.0, 1.0,
              "weight of an item of a past session per step from the common item"},
        Field{"backward", &O::backward, 0.0, 1.0, "weight of items before the common item"},
        Field{"target_exponent", &O::target_exponent, 0.0, 2.0,
              "scores are divided by the item's number of sessions to this power; more lists rare "
              "items"}};
  }
};

Result<std::unique_ptr<const Model>> fit_session_knn(const Run& run,
                                                     const SessionKnnOptions& options,
                                                     const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_session_knn(ArchiveReader& reader,
                                                      const Catalogue& catalogue);

}  // namespace vitrine
