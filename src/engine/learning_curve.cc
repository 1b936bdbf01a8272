#include "engine/learning_curve.h"

namespace vitrine {
namespace {

constexpr double kShares[] = {0.1, 0.2, 0.5, 1};

}  // namespace

Result<LearningCurve> learning_curve(const Run& run, const Recipe& recipe, const RecipeSplits& data,
                                     const std::string& by) {
  const Run own{Random(kFirstSeed), run.pool, run.monitor};
  const Split& whole = data.splits.front();
  LearningCurve curve{by, recipe.choose_by, {}};
  for (const double share : kShares) {
    RecipeSplits part;
    part.catalogue = data.catalogue;
    part.splits.push_back(retrained(
        whole, share_of_histories(whole.train(), share, by, own.random.fork("learning curve"))));
    CurveStep step{share, part.splits[0].train().size(), {}};
    if (step.events == 0) continue;
    for (RecipeModel model : recipe.models) {
      model.anonymous = false;  // the row of its name
      VT_TRY(step.rows.emplace_back(), measure_row(own, recipe, part, model, recipe.evaluate));
    }
    curve.steps.push_back(std::move(step));
  }
  return curve;
}

Value LearningCurve::to_json() const {
  List out;
  for (const CurveStep& step : steps) {
    Table values;
    for (const RecipeRow& row : step.rows) {
      if (const RecipeValue* value = row.find(metric)) {
        values.set(row.name, Table{{"mean", value->mean},
                                   {"low", value->low},
                                   {"high", value->high},
                                   {"fit_cpu_s", row.fit.cpu_s}});
      }
    }
    out.push_back(
        Table{{"share", step.share}, {"train_events", step.events}, {"models", std::move(values)}});
  }
  return Table{{"by", by}, {"metric", metric}, {"steps", std::move(out)}};
}

}  // namespace vitrine
