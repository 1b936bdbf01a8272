#include "cli/recipe_report.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/toml.h"
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
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}] p {:.3f}", c.difference, c.low, c.high, c.p);
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
    text += fmt::format("vs {}: paired difference of {}\n", table.compared_to, table.compared_by);
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

std::string recipe_text(const Recipe& recipe, const RecipeSearch& search) {
  return fmt::format("{}\n{} fits on validation ({}); the best, {} {:.4f}:\n\n[options]\n{}",
                     recipe.name, search.fits, search.protocol, recipe.choose_by, search.value,
                     to_toml(search.options));
}

Value recipe_json(const Recipe& recipe, const RecipeSearch& search) {
  return Table{{"recipe", recipe.name}, {"protocol", search.protocol},
               {"fits", search.fits},   {"choose_by", recipe.choose_by},
               {"value", search.value}, {"options", search.options}};
}

}  // namespace vitrine
