// Tuning: trials of a model's settings on a validation split, within a number of trials and a time.
// What is tried is a function of the seed and of the trials before, so the same search finds the
// same, also when it is interrupted and taken up again from its file of trials.
//
// Trial 0 is the model as it is configured. Then
//
//   random, tpe   propose settings one by one (model/proposals.h);
//   halving       tries many on few persons and the better third of them on three times as many,
//                 until all are there: the brackets of Hyperband (Li et al., JMLR 18, 2018), each
//                 filled by tpe. Nine settings on a ninth, then five on a third, then three on all.
//
// A model that learns in epochs is asked after each how good it is, stops when three brought
// nothing, and its best epoch becomes a setting.
//
// Trials run one after the other, each fit on all threads: they then need the memory of one model,
// and fitting in parallel wastes little.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/dataset.h"
#include "engine/fitting.h"
#include "model/proposals.h"

namespace vitrine {

struct TuneOptions {
  std::string method = "tpe";       // random, tpe, halving
  int trials = 30;                  // settings per model, trial 0 included
  double seconds = 0;               // for all models together; 0: no limit
  std::vector<std::string> ranges;  // "[MODEL.]key=low..high": instead of, or beside, the declared
  std::string resume;               // file of trials: read when it is there, appended to; or empty
};

// One fit, measured. Exactly a line of the file of trials.
struct TuneTrial {
  std::string model;
  int number = 0;
  double share = 1;             // of the persons that were fitted
  Table settings;               // what was searched, and the epochs where it learns in epochs
  std::optional<double> value;  // nothing where it could not be fitted: `error` says why
  std::string error;
  std::string ground;  // fingerprint of data, split, measuring and base settings
  Usage fit;
  Value to_json(std::string_view metric, std::int64_t seed) const;
};

// A model's best settings.
struct Tuned {
  ModelConfig config;
  double value = 0, configured = 0;   // the metric, and that of trial 0
  std::optional<FittedModel> fitted;  // on the training part; nothing when read from the file
};

struct TuneReport {
  std::string metric, split;
  std::vector<Tuned> models;
  std::vector<TuneTrial> trials;
  std::int64_t seed = 1;
  bool out_of_time = false, interrupted = false;
  Value to_json() const;
  // The best settings as lines of a vitrine.toml: what differs from the defaults.
  std::string toml() const;
};

// What trials are measured on: a validation split inside what may be learned from.
struct TuneGround {
  const Split& validation;
  const Catalogue& catalogue;
  InteractionOptions interactions = {};
  EvaluateOptions evaluate = {};
  std::string metric = "ndcg@20";
  std::int64_t seed = 1;
};

// What a trial of `base` is worth depends on: the training part event by event, the split, how it
// is measured, the options that are not searched. Sixteen hexadecimal digits.
std::string ground_of(const TuneGround& data, const ModelConfig& base);

// What becomes of trials: progress for people, and a place for them to outlive the process.
class TuneLog {
 public:
  TuneLog() = default;  // keeps nothing
  // Reads the trials of `path`, when there is such a file. kInvalid, naming the line, for what is
  // no trial.
  static Result<TuneLog> open(FileSystem& files, const std::string& path);
  // The trial that was finished before under this model, number and share; kInvalid when its
  // settings, ground, metric or seed are others: the file belongs to another search.
  Result<std::optional<TuneTrial>> finished(const TuneTrial& wanted, std::string_view metric,
                                            std::int64_t seed) const;
  Status add(const TuneTrial& trial, std::string_view metric, std::int64_t seed);

 private:
  std::string path_;
  std::map<std::string, Value> lines_;  // by model, number and share
  std::shared_ptr<WritableFile> file_;
};

// A model and what is searched of it.
struct TuneTask {
  ModelConfig model;
  SearchSpace space;
};
// kInvalid, naming the range, for one that cannot be or that names no model of these.
Result<std::vector<TuneTask>> tune_tasks(const std::vector<ModelConfig>& models,
                                         const TuneOptions& options, bool timed);

// Tunes one model after the other. Where somebody cancels, the report holds what there is, if any
// trial was finished. A model without any settings that could be fitted is the error of its last
// trial.
Result<TuneReport> tune_models(const Run& run, const std::vector<TuneTask>& tasks,
                               const TuneGround& data, const TuneOptions& options, TuneLog& log);

// The same for [models.*] (or those of `names`) on the validation split of a data set:
// Engine::tune. `together` has no lists of its own and is left out.
Result<TuneReport> tune_configured(const Run& run, const Config& config, const Dataset& data,
                                   FileSystem& files, const TuneOptions& options,
                                   const std::vector<std::string>& names);
// The same for the models of a recipe on its validation part, by its choose_by: the values of its
// [tune], where it has some, else the declared ranges; `options.ranges` over both. `folder` holds
// the recipe's files. The test part is not touched.
Result<TuneReport> tune_by_recipe(const Run& run, FileSystem& files, const std::string& recipe,
                                  const std::string& folder, const TuneOptions& options,
                                  std::int64_t seed);

}  // namespace vitrine
