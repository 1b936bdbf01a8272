#include "cli/recipe_report.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/toml.h"
#include "cli/plots.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

std::string value_text(const RecipeValue* value) {
  if (value == nullptr) return "-";
  std::string text = fmt::format("{:.4f}", value->mean);
  if (value->standard_error > 0) text += fmt::format(" ± {:.4f}", value->standard_error);
  if (value->low < value->high) text += fmt::format(" [{:.4f}, {:.4f}]", value->low, value->high);
  return text;
}

std::string comparison_text(const RecipeRow& row) {
  if (!row.comparison) return "-";
  const Comparison& c = *row.comparison;
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}] p {:.3f}", c.difference, c.low, c.high,
                     c.p_adjusted);
}

std::vector<std::string> row_cells(const RecipeTable& table, const RecipeRow& row) {
  std::vector<std::string> cells{row.name};
  for (const std::string& metric : table.recipe.metrics)
    cells.push_back(value_text(row.find(metric)));
  if (!table.compared_to.empty()) cells.push_back(comparison_text(row));
  cells.push_back(fmt::format("{:.2f}", row.fit.cpu_s));
  cells.push_back(fmt::format("{:.2f}", row.scoring.cpu_s));
  cells.push_back(format_bytes(static_cast<double>(row.fit.memory_peak_bytes)));
  return cells;
}

void add_published(TextTable& rows, const RecipeTable& table) {
  if (table.recipe.published.empty()) return;
  rows.rule();
  for (const PublishedRow& published : table.recipe.published) {
    std::vector<std::string> cells{published.name};
    for (const auto& value : published.values)
      cells.push_back(value ? fmt::format("{:.4f}", *value) : "-");
    const std::size_t width = cells.size() + (table.compared_to.empty() ? 3 : 4);
    cells.resize(width);
    cells.push_back(published.source);
    rows.row(std::move(cells));
  }
}

std::string correction_text(const std::string& method, std::size_t comparisons) {
  if (method == "none") return "not adjusted";
  return fmt::format("adjusted for {} comparisons by {}", comparisons,
                     method == "holm" ? "Holm" : "Benjamini and Hochberg");
}

// How the numbers are to be read.
std::string legend(const RecipeTable& table) {
  const Recipe& recipe = table.recipe;
  std::string text;
  if (table.folds > 1) {
    text += fmt::format("{} folds: mean ± standard error over them\n", table.folds);
  } else if (recipe.evaluate.bootstrap > 0) {
    text += fmt::format("[{:g} % bootstrap intervals over persons]\n",
                        100 * recipe.evaluate.confidence);
  }
  if (!table.compared_to.empty()) {
    text +=
        fmt::format("vs {}: paired difference of {}, p {}\n", table.compared_to, table.compared_by,
                    correction_text(recipe.evaluate.correction, table.rows.size() - 1));
  }
  if (recipe.seeds > 1) {
    for (const RecipeRow& row : table.rows) {
      text += fmt::format("{}, {} seeds, standard deviation between them:", row.name, recipe.seeds);
      for (const std::string& metric : recipe.metrics) {
        if (const RecipeValue* value = row.find(metric))
          text += fmt::format(" {} {:.4f}", metric, value->spread);
      }
      text += "\n";
    }
  }
  return text;
}

}  // namespace

std::string recipe_text(const RecipeTable& table) {
  const Recipe& recipe = table.recipe;
  std::vector<std::string> headers{"model"};
  for (const std::string& metric : recipe.metrics) headers.push_back(">" + metric);
  if (!table.compared_to.empty()) headers.push_back(">vs " + table.compared_to);
  for (const char* header : {">fit CPU s", ">score CPU s", ">peak memory"})
    headers.emplace_back(header);
  if (!recipe.published.empty()) headers.emplace_back("source");
  TextTable rows(headers);
  for (const RecipeRow& row : table.rows) {
    std::vector<std::string> cells = row_cells(table, row);
    if (!recipe.published.empty()) cells.emplace_back("ours");
    rows.row(std::move(cells));
  }
  add_published(rows, table);
  std::string text = recipe.name + "\n";
  if (!recipe.note.empty()) text += recipe.note + "\n";
  text += fmt::format(
      "{}\n{} questions asked, {} without a truth item left, {} truth items new to "
      "training dropped; {} training events\n\n",
      table.protocol, format_count(table.rows.front().cases),
      format_count(table.rows.front().skipped), format_count(table.dropped_new_items),
      format_count(table.train_events));
  text += rows.str() + "\n" + legend(table);
  for (const RecipeRow& row : table.rows) {
    if (!row.options.empty()) text += fmt::format("{}: {}\n", row.name, to_json(row.options));
  }
  return text;
}

std::string robustness_text(const RobustnessTable& table) {
  TextTable rows(
      {"model", "treatment", ">" + table.metric, ">lost [interval]", ">p", ">target in lists"});
  std::string model;
  for (const RobustnessRow& row : table.rows) {
    if (!model.empty() && row.model != model) rows.rule();
    model = row.model;
    const bool clean = row.treatment == "clean";
    rows.row({row.model, row.treatment, fmt::format("{:.4f}", row.value),
              clean ? "-"
                    : fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", row.lost.difference, row.lost.low,
                                  row.lost.high),
              clean ? "-" : fmt::format("{:.3f}", row.lost.p_adjusted),
              row.attack ? fmt::format("{:.2f} % -> {:.2f} %", 100 * row.listed_before,
                                       100 * row.listed_after)
                         : "-"});
  }
  return fmt::format(
      "Robustness: training spoilt, the same questions\n\n{}\ntarget in lists: share of the lists "
      "of {} that hold the pushed item, of those who do not have it\n",
      rows.str(), table.list_length);
}

std::string curve_text(const LearningCurve& curve) {
  std::vector<std::string> headers{">share of " + curve.by, ">training events"};
  if (!curve.steps.empty()) {
    for (const RecipeRow& row : curve.steps.front().rows) headers.push_back(">" + row.name);
  }
  TextTable rows(headers);
  for (const CurveStep& step : curve.steps) {
    std::vector<std::string> cells{fmt::format("{:g} %", 100 * step.share),
                                   format_count(step.events)};
    for (const RecipeRow& row : step.rows) cells.push_back(value_text(row.find(curve.metric)));
    rows.row(std::move(cells));
  }
  return fmt::format("Learning curve of {}\n\n{}", curve.metric, rows.str());
}

namespace {

// The file's own name without folder and .toml.
std::string stem_of(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.ends_with(".toml") ? name.substr(0, name.size() - 5) : name;
}

Status write_plot(FileSystem& files, const std::string& folder, std::string name,
                  const std::string& svg) {
  for (char& c : name) {
    if (c == '@' || c == '/' || c == ' ') c = '-';
  }
  VT_TRY(files.make_folder(folder));
  return write_file_atomically(files, folder + "/" + name + ".svg", svg);
}

}  // namespace

Status plot_recipe(FileSystem& files, const std::string& folder, const RecipeTable& table) {
  const Recipe& recipe = table.recipe;
  for (std::size_t m = 0; m < recipe.metrics.size(); ++m) {
    std::vector<PlotDot> dots;
    for (const RecipeRow& row : table.rows) {
      const RecipeValue* value = row.find(recipe.metrics[m]);
      if (value != nullptr) dots.push_back({row.name, value->mean, value->low, value->high});
    }
    for (const PublishedRow& row : recipe.published) {
      if (row.values[m]) dots.push_back({row.name, *row.values[m], 0, 0, true});
    }
    VT_TRY(write_plot(files, folder, stem_of(recipe.path) + "-" + recipe.metrics[m],
                      dot_plot(recipe.name, recipe.metrics[m], dots)));
  }
  return {};
}

Status plot_curve(FileSystem& files, const std::string& folder, const Recipe& recipe,
                  const LearningCurve& curve) {
  std::vector<PlotSeries> series;
  std::vector<std::string> labels;
  for (const CurveStep& step : curve.steps) {
    labels.push_back(fmt::format("{:g} %", 100 * step.share));
    if (series.empty()) series.resize(step.rows.size());
    for (std::size_t i = 0; i < step.rows.size(); ++i) {
      series[i].label = step.rows[i].name;
      const RecipeValue* value = step.rows[i].find(curve.metric);
      if (value != nullptr)
        series[i].points.push_back({step.share, value->mean, value->low, value->high});
    }
  }
  const std::string x = curve.by == "persons" ? "share of the persons that were fitted"
                                              : "share of everybody's history that was fitted";
  return write_plot(files, folder, stem_of(recipe.path) + "-learning-" + curve.by,
                    curve_plot(recipe.name, x, labels, curve.metric, series));
}

Status plot_evaluation(FileSystem& files, const std::string& folder, const EvaluationTable& table,
                       const std::vector<std::string>& columns) {
  for (const std::string& column : columns.empty() ? default_columns(table) : columns) {
    std::vector<PlotDot> dots;
    for (const EvaluatedModel& model : table.models) {
      const MetricValue* value = model.evaluation.find(column);
      if (value != nullptr) dots.push_back({model.name, value->mean, value->low, value->high});
    }
    VT_TRY(write_plot(files, folder, "models-" + column, dot_plot(table.split, column, dots)));
  }
  return {};
}

std::string recipe_text(const Recipe& recipe, const RecipeSearch& search) {
  return fmt::format("{}: {}\n{} fits on validation ({}); the best, {} {:.4f}:\n\n[options]\n{}\n",
                     recipe.name, search.model, search.fits, search.protocol, recipe.choose_by,
                     search.value, to_toml(search.options));
}

Value recipe_json(const Recipe& recipe, const RecipeSearch& search) {
  return Table{{"recipe", recipe.name},         {"model", search.model},
               {"protocol", search.protocol},   {"fits", search.fits},
               {"choose_by", recipe.choose_by}, {"value", search.value},
               {"options", search.options}};
}

}  // namespace vitrine
