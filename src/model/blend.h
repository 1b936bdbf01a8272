// A weighted sum of other models: several opinions about one history in one list. With w_m the
// weight of member m and s_m(i) its score of item i,
//
//   score      score(i) = sum over m of w_m s_m(i) / d_m
//   rank       score(i) = sum over m of w_m / (60 + r_m(i))
//
// where, for each query, d_m is the standard deviation of the scores in the list of the member's
// best `depth` items and r_m(i) the place in it (an item that is not in it adds nothing).
// Subtracting a mean as well would change no order. Both are taken before any mask, so a score
// depends neither on the mask nor on how many items are asked for. "rank" is the reciprocal rank
// fusion of Cormack, Clarke and Buettcher, SIGIR 2009.
//
// Lists under "score" are exact: members' lists are read from the top down, every item in them is
// scored by all members, and reading stops where what no list has shown yet cannot reach the n-th
// item any more (the threshold algorithm; Fagin, Lotem and Naor, "Optimal aggregation algorithms
// for middleware", PODS 2001). Lists under "rank" hold items of the members' best `depth`.
//
// Weights are given, or learned inside the training part: persons' events are held out as
// `validation` says, the members are fitted on the rest, a search over the weights maximises
// ndcg@20 on them, and the members are fitted again on everything. A member whose weight is 0 is
// then left out. Where nothing can be held out, or for fewer than 20 persons, all weigh the same.
//
// Cost: what the members cost, twice where weights are learned. A list costs the members' lists of
// `depth` and their scores of a few hundred items.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace vitrine {

// In TOML, `members` is a list of kinds, or a table of tables, each a member's settings: its kind
// is its name unless it says otherwise.
//
//   [models.best]
//   kind = "blend"
//   weights = ["ease=2", "knn=1"]
//   [models.best.members.ease]
//   lambda = 100
//   [models.best.members.knn]
//   kind = "item_knn"
struct BlendOptions {
  std::vector<std::string> members = {"item_knn", "ease"};
  std::vector<std::string> weights;
  std::string normalize = "score";
  int depth = 500;
  std::string validation = "last";
  double validation_share = 0.1;
  std::string repeat = "never";

  static constexpr std::string_view kName = "blend";
  static constexpr auto fields() {
    using O = BlendOptions;
    return std::tuple{
        Field{"members", &O::members,
              "kinds of models, or [.members.NAME] tables with the settings of each"},
        Field{"weights", &O::weights, "member=weight for every member; empty: learned"},
        Field{"normalize", &O::normalize, "score|rank",
              "what is added up: scores over their deviation, or reciprocal ranks"},
        Field{"depth", &O::depth, 10, 100'000,
              "items of each member's list that deviation and ranks are taken from"},
        Field{"validation", &O::validation, "last|last_group|time|random|prefixes",
              "what is held out to learn weights: each person's last event or group, the latest "
              "events, events at random, or the latest sessions, asked after every event"},
        Field{"validation_share", &O::validation_share, 0.001, 0.5,
              "share of the events that time and random hold out, of the sessions by prefixes"},
        Field{"repeat", &O::repeat, "never|always",
              "whether weights are learned to list items of the history, too"}};
  }
};

// Errors of members are theirs, with their name in front.
Result<std::unique_ptr<const Model>> fit_blend(const Run& run, const Table& options,
                                               const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_blend(ArchiveReader& reader, const Catalogue& catalogue);
// Checked, with every default of the blend and of its members written out.
Result<Table> complete_blend(const Table& options);

}  // namespace vitrine
