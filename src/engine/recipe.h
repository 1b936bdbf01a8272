// Recipes: files that describe one measurement completely, so that a published row or a table of
// ours can be reproduced by one command. docs/evaluation.md is the manual; bench/accuracy/*.toml
// are examples.
//
//   name = "..."                  note = "..."          what it is and by which protocol
//   metrics = ["ndcg@20", ...]    choose_by = "ndcg@20"
//   seeds = 3                     fits per row; mean and spread are shown
//   compare_to = "best"           the row that the others are compared with; default: the first
//   model = "als"                 one row, with [options] and [tune], or several [[models]]
//   anonymous = true              a further row of each model with its person withheld
//   [train] [test] [validation_source] [negatives] [items]     sources, as in vitrine.toml
//   [split] [validation] [folds] [cleaning] [histories] [interactions] [evaluate] [robustness]
//   [[published]]                 name, source, and a value for each metric
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"

namespace vitrine {

// One row of a recipe's table.
struct RecipeModel {
  std::string name, kind;
  Table options, tune;  // tune: option -> list of values
  bool anonymous = false;
  std::vector<std::string> weights = {};  // of event types, instead of those of [histories]
  InteractionOptions interactions = {};
};

struct PublishedRow {
  std::string name, source;
  std::vector<std::optional<double>> values;  // parallel to the recipe's metrics
};

// [folds]: several test parts, one after the other.
struct FoldOptions {
  int count = 0;
  std::string by = "events";
  std::vector<std::string> files;
  static constexpr auto fields() {
    using O = FoldOptions;
    return std::tuple{Field{"count", &O::count, 0, 100, "folds of our own making; 0: none"},
                      Field{"by", &O::by, "events|persons", "what those share out"},
                      Field{"files", &O::files,
                            "given test files: training is [train] without their user-item pairs"}};
  }
};

// [robustness]: what is lost when the training part is spoilt (robustness.h).
struct RobustnessOptions {
  std::vector<std::string> noise;                    // shares of the training events
  std::vector<std::string> attacks;                  // random, average, bandwagon
  std::vector<std::string> attack_sizes = {"0.05"};  // profiles per person
  int targets = 5;                                   // items that each attack pushes, in turn
  int profile_items = 0;                             // of a profile; 0: the median history
  static constexpr auto fields() {
    using O = RobustnessOptions;
    return std::tuple{
        Field{"noise", &O::noise, "random user-item pairs, as shares of the training events"},
        Field{"attacks", &O::attacks, "shilling profiles: random, average, bandwagon"},
        Field{"attack_sizes", &O::attack_sizes, "profiles, as shares of the persons"},
        Field{"targets", &O::targets, 1, 100, "items that are pushed, one attack each"},
        Field{"profile_items", &O::profile_items, 0, 10'000,
              "filler items of a profile; 0: as many as the median person has"}};
  }
  bool any() const { return !noise.empty() || !attacks.empty(); }
};

struct Recipe {
  std::string path;  // of its file, for messages
  std::string name, note, choose_by, compare_to;
  std::vector<std::string> metrics;
  int seeds = 1;
  std::vector<RecipeModel> models;
  SourceOptions train;
  std::optional<SourceOptions> test, validation_source, negatives, items;
  SplitOptions split, validation;
  FoldOptions folds;
  std::optional<CleaningOptions> cleaning;  // none: the files are taken as they are
  HistoryOptions histories;
  EvaluateOptions evaluate;
  RobustnessOptions robustness;
  std::vector<PublishedRow> published;
};

// kInvalid naming file, section and key; kNotFound for a file that is not there.
Result<Recipe> read_recipe(FileSystem& files, const std::string& path);
Result<Recipe> recipe_from_table(const Table& table, const std::string& path);

}  // namespace vitrine
