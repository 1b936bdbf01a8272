#include "model/validator.h"

#include <cmath>

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

Value SplitValidator::state() const {
  return Table{{"best", best_},
               {"best_at", best_at_},
               {"measured", measured_},
               {"metric", options_.metric},
               {"repeat", options_.repeat},
               {"patience", options_.patience},
               {"split", split_->description()},
               {"cases", split_->cases()}};
}

Status SplitValidator::restore(const Value& state) {
  const Table* table = state.as_table();
  const auto number = [&](const char* name) {
    const Value* found = table == nullptr ? nullptr : table->find(name);
    return found == nullptr ? NAN : found->number(NAN);
  };
  const double best = number("best"), best_at = number("best_at"), measured = number("measured");
  if (!std::isfinite(best) || !(best_at >= 0) || !(measured >= best_at) || !(measured < 1e9))
    return Error{Code::kCorrupt, "the validator's state is no such state"};
  best_ = best;
  best_at_ = static_cast<int>(best_at);
  measured_ = static_cast<int>(measured);
  return {};
}

}  // namespace vitrine
