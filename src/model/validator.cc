#include "model/validator.h"

#include "model/recommender.h"

namespace vitrine {

Result<SplitValidator> SplitValidator::create(const Split& split,
                                              std::span<const std::uint32_t> item_counts,
                                              const Options& options) {
  const std::size_t at = options.metric.find('@');
  if (at == std::string::npos || at == 0 || at + 1 == options.metric.size()) {
    return Error{Code::kInvalid, "metric \"" + options.metric + "\": name it as in ndcg@20"};
  }
  return SplitValidator(split, item_counts, options, options.metric.substr(at + 1));
}

SplitValidator::SplitValidator(const Split& split, std::span<const std::uint32_t> item_counts,
                               const Options& options, std::string cutoff)
    : split_(&split), item_counts_(item_counts), options_(options), cutoff_(std::move(cutoff)) {}

Result<Validator::Answer> SplitValidator::measure(const Run& run, const Model& model) {
  EvaluateOptions options;
  options.cutoffs = {cutoff_};
  options.repeat = options_.repeat;
  options.seen = options_.seen;
  options.bootstrap = 0;
  options.auc = false;
  VT_TRY(const Evaluation evaluation,
         evaluate(run, recommender_of("validation", model), *split_, item_counts_, options));
  const MetricValue* value = evaluation.find(options_.metric);
  if (value == nullptr) {
    return Error{Code::kInvalid, "metric \"" + options_.metric + "\" is not one of evaluate's"};
  }
  ++measured_;
  Answer answer;
  answer.best = best_at_ == 0 || value->mean > best_;
  if (answer.best) {
    best_ = value->mean;
    best_at_ = measured_;
  }
  answer.go_on = measured_ - best_at_ < options_.patience;
  return answer;
}

}  // namespace vitrine
