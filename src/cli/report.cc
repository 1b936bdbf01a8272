#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

std::string interval(const MetricValue* metric) {
  if (metric == nullptr) return "-";
  if (metric->low == metric->high) return fmt::format("{:.4f}", metric->mean);
  return fmt::format("{:.4f} [{:.4f}, {:.4f}]", metric->mean, metric->low, metric->high);
}

}  // namespace

std::vector<std::string> default_columns(const std::vector<MetricValue>& metrics) {
  std::vector<std::string> columns;
  for (const char* wanted : {"ndcg@", "recall@", "hit_rate@", "coverage@", "novelty@"}) {
    // The largest cutoff of each: the last one in the order of metrics.
    const MetricValue* found = nullptr;
    for (const MetricValue& metric : metrics) {
      const bool sampled = metric.name.starts_with("sampled_");
      if (metric.name.find(wanted, sampled ? 8 : 0) == (sampled ? 8u : 0u)) found = &metric;
    }
    if (found != nullptr) columns.push_back(found->name);
  }
  for (const MetricValue& metric : metrics) {
    if (metric.name.ends_with("auc")) columns.push_back(metric.name);
  }
  return columns;
}

std::vector<std::string> default_columns(const EvaluationTable& table) {
  if (table.models.empty()) return {};
  return default_columns(table.models.front().evaluation.metrics);
}

namespace {

const Comparison* comparison_of(const EvaluatedModel& model) {
  return model.comparisons.empty() ? nullptr : &model.comparisons.front();
}

}  // namespace

std::string cleaning_text(const CleaningReport& report) {
  TextTable table({"rule", ">rows", "what it takes out"});
  for (const CleaningRule& rule : report.rules) {
    table.row({rule.name, rule.enabled ? format_count(rule.rows) : "off", rule.meaning});
    for (const std::string& example : rule.examples) table.row({"", "", "  e.g. " + example});
  }
  std::string text = fmt::format("{} events in the log, {} left after cleaning\n\n",
                                 format_count(report.rows_in), format_count(report.rows_kept));
  text += table.str();
  text += fmt::format(
      "\nReturns: {} matched to an earlier purchase ({} purchases undone, {} reduced), {} without "
      "one\n",
      format_count(report.returns_matched), format_count(report.purchases_undone),
      format_count(report.purchases_reduced), format_count(report.returns_unmatched));
  if (report.rows_without_time > 0) {
    text += fmt::format("{} events have no time and keep the order of their file\n",
                        format_count(report.rows_without_time));
  }
  return text;
}

std::string evaluation_text(const EvaluationTable& table, const std::vector<std::string>& columns) {
  const auto shown = columns.empty() ? default_columns(table) : columns;
  std::vector<std::string> headers{"model"};
  for (const std::string& column : shown) headers.push_back(">" + column);
  for (const char* header : {">vs popularity", ">fit s", ">score s", ">memory"}) {
    headers.emplace_back(header);
  }
  TextTable rows(headers);
  for (const EvaluatedModel& model : table.models) {
    std::vector<std::string> cells{model.name};
    for (const std::string& column : shown)
      cells.push_back(interval(model.evaluation.find(column)));
    const Comparison* against = comparison_of(model);
    cells.push_back(against == nullptr ? "-"
                                       : fmt::format("{:+.4f}{}", against->difference,
                                                     against->p_adjusted < 0.05 ? " *" : ""));
    cells.push_back(fmt::format("{:.2f}", model.fit.cpu_s));
    cells.push_back(fmt::format("{:.2f}", model.evaluation.usage.cpu_s));
    cells.push_back(format_bytes(static_cast<double>(model.evaluation.usage.memory_peak_bytes)));
    rows.row(std::move(cells));
  }
  std::string text = table.split + "\n";
  text += fmt::format(
      "repeat = {}: {}; {} persons asked, {} training events\n\n", table.options.repeat,
      table.options.repeat == "never" ? "items a person already has leave list and truth"
                                      : "items a person already has stay in list and truth",
      format_count(table.cases), format_count(table.train_events));
  text += rows.str();
  const Comparison* any = nullptr;
  for (const EvaluatedModel& model : table.models) any = any ? any : comparison_of(model);
  text +=
      fmt::format("[{:.0f} % bootstrap intervals over persons]", 100 * table.options.confidence);
  if (any != nullptr) {
    const std::string& method = table.options.correction;
    text += fmt::format("  vs popularity: paired difference of {}, * = p < .05{}", any->metric,
                        method == "none"   ? ""
                        : method == "holm" ? " after Holm's correction"
                                           : " after Benjamini and Hochberg's correction");
  }
  return text + "\n";
}

std::string checks_text(const std::vector<GateCheck>& checks) {
  if (checks.empty()) return {};
  TextTable table({"gate", "", "what it found"});
  for (const GateCheck& check : checks)
    table.row({check.name, check.passed ? "passed" : "FAILED", check.text});
  return "\n" + table.str();
}

std::string cascade_text(const CascadeTable& table, const std::vector<std::string>& columns) {
  const auto shown =
      columns.empty() ? default_columns(table.steps.front().evaluation.metrics) : columns;
  std::vector<std::string> headers{"step", "models"};
  for (const std::string& column : shown) headers.push_back(">" + column);
  headers.emplace_back(">CPU ms a list");
  TextTable rows(headers);
  for (const CascadeStep& step : table.steps) {
    std::string models;
    for (const std::string& name : step.models) models += (models.empty() ? "" : ", ") + name;
    std::vector<std::string> cells{step.name, models};
    for (const std::string& column : shown) {
      std::string cell = interval(step.evaluation.find(column));
      for (const Comparison& c : step.comparisons) {
        if (c.metric == column)
          cell += fmt::format(" {:+.4f}{}", c.difference, c.p_adjusted < 0.05 ? " *" : "");
      }
      cells.push_back(std::move(cell));
    }
    cells.push_back(fmt::format("{:.3f}", step.cpu_ms));
    rows.row(std::move(cells));
  }
  return fmt::format(
      "{}\n[placements.{}]: {} persons asked, {} training events; there is no "
      "ranker, so no step without one\n\n{}"
      "[{:.0f} % bootstrap intervals over persons]  signed: paired difference from "
      "the full step, * = p < .05\n",
      table.split, table.placement, format_count(table.cases), format_count(table.train_events),
      rows.str(), 100 * table.options.confidence);
}

std::string searches_text(const Table& searches) {
  if (searches.empty()) return {};
  std::vector<std::string> headers{"recall@10 under masks"};
  const auto at = [](const Value& row, std::string_view key) {
    const auto number = number_at(row.as_table() == nullptr ? Table() : *row.as_table(), key);
    return number.ok() ? *number : 0;
  };
  std::vector<std::vector<std::string>> rows;
  for (const auto& [model, shares] : searches) {
    rows.push_back({model});
    if (shares.as_list() == nullptr) continue;
    for (const Value& share : *shares.as_list()) {
      if (rows.size() == 1) headers.push_back(fmt::format(">{:.0f} %", 100 * at(share, "allowed")));
      rows.back().push_back(fmt::format("{:.4f}", at(share, "recall@10")));
    }
  }
  TextTable table(headers);
  for (auto& row : rows) {
    row.resize(headers.size());
    table.row(std::move(row));
  }
  return "\n" + table.str() +
         "Items are searched approximately: of the ten best that a mask allowing so many of them "
         "leaves, the share found,\nas measured by the best 10 / share without a mask\n";
}

std::string train_text(const TrainReport& report) {
  std::string text = report.data_says;
  if (!text.empty() && !text.ends_with('\n')) text += "\n";
  if (!report.fits.empty()) {
    TextTable table({"model", ">fit CPU s", ">fit s"});
    for (const auto& [name, usage] : report.fits) {
      table.row({name, fmt::format("{:.2f}", usage.cpu_s), fmt::format("{:.2f}", usage.elapsed_s)});
    }
    text += "\n" + table.str();
  }
  text += searches_text(report.manifest.searches);
  text += checks_text(report.manifest.publication.checks);
  text +=
      fmt::format("\n{} snapshot {} ({} events, log up to {}): {}\n",
                  report.published ? "Published" : "Did not publish", report.manifest.name,
                  format_count(report.manifest.events), report.manifest.sequence, report.verdict);
  if (!report.chosen_toml.empty()) {
    text += "\nChosen on the validation split; put this into vitrine.toml to keep it:\n\n" +
            report.chosen_toml;
  }
  return text;
}

std::string answer_text(const Answer& answer) {
  TextTable table({">#", "item", "title", ">score", "model"});
  int rank = 0;
  for (const AnsweredItem& item : answer.items) {
    table.row({std::to_string(++rank), item.id, item.title, fmt::format("{:.4f}", item.score),
               item.source});
    if (!item.because.empty()) table.note("     " + item.because);
  }
  std::string text = table.str();
  if (!answer.degraded.empty()) text += "degraded: " + answer.degraded + "\n";
  if (!answer.shortfall.empty()) text += "shortfall: " + answer.shortfall + "\n";
  return text;
}

Value answer_json(const Answer& answer) {
  List items;
  for (const AnsweredItem& item : answer.items) {
    List reasons;
    for (const AnsweredReason& reason : item.reasons) {
      reasons.push_back(Table{{"item", reason.item},
                              {"title", reason.title},
                              {"type", reason.type},
                              {"share", reason.share}});
    }
    items.push_back(Table{{"id", item.id},
                          {"title", item.title},
                          {"score", item.score},
                          {"propensity", item.propensity},
                          {"source", item.source},
                          {"because", item.because},
                          {"reasons", reasons}});
  }
  return Table{{"slate_id", answer.slate_id}, {"snapshot", answer.snapshot},
               {"sequence", answer.sequence}, {"items", items},
               {"degraded", answer.degraded}, {"shortfall", answer.shortfall}};
}

}  // namespace vitrine
