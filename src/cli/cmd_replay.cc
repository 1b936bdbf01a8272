#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

struct ReplayFlags {
  std::string with, slates;
  int requests = 1000;
  ConsistencyOptions consistency;
};

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string text(const ConsistencyReport& report) {
  std::string out =
      fmt::format("{} lists from {} to {}, of {} persons:\n", format_count(report.lists),
                  report.first, report.last, format_count(report.persons));
  TextTable table({"placement", "snapshot", "new events between", ">pairs",
                   fmt::format(">overlap@{}", report.options.n), ">rank-biased", ">same list"});
  for (const ConsistencyRow& row : report.rows) {
    table.row({row.placement, row.same_snapshot ? "the same" : "another",
               row.new_events ? "yes" : "no", format_count(row.pairs), percent(row.overlap),
               percent(row.rbo), percent(row.identical)});
  }
  return out + table.str() +
         "A pair: two lists in a row of one person at one placement. Another snapshot: a training "
         "lay between.\n";
}

Status consistency(Session& session, const ReplayFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  VT_TRY(const ConsistencyReport report,
         engine->consistency(session.run(), flags.consistency, flags.slates));
  session.print(report.to_json(), text(report));
  return {};
}

std::string text(const ReplayReport& report) {
  std::string models;
  for (const std::string& name : report.models) models += (models.empty() ? "" : ", ") + name;
  std::string out =
      fmt::format("Requests from {} to {}, asked again of {} (trained on the log up to {}):\n",
                  report.first, report.last, models, report.trained_to);
  TextTable table({"placement", ">requests", ">failed", ">same list", ">same first", ">overlap",
                   ">clicked", ">kept", ">p50 ms", ">p99 ms"});
  for (const ReplayedPlacement& p : report.placements) {
    const auto answered = static_cast<double>(std::max<std::uint64_t>(1, p.requests - p.failed));
    table.row({p.placement, format_count(p.requests), format_count(p.failed),
               fmt::format("{:.0f} %", 100 * static_cast<double>(p.identical) / answered),
               fmt::format("{:.0f} %", 100 * p.first_kept),
               fmt::format("{:.0f} %", 100 * p.overlap), format_count(p.clicked),
               format_count(p.clicks_kept), fmt::format("{:.2f}", p.p50_ms),
               fmt::format("{:.2f}", p.p99_ms)});
  }
  out += table.str();
  if (!report.first_failure.empty()) out += "first failure: " + report.first_failure + "\n";
  return out +
         "Clicked items are those of the lists that were shown: a better list has no way to "
         "score there.\n";
}

Status replay(Session& session, const ReplayFlags& flags) {
  if (flags.with.empty()) return consistency(session, flags);
  VT_TRY(const Config candidate, read_config(real_files(), flags.with, {}));
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  ReplayOptions options;
  options.requests = static_cast<std::size_t>(flags.requests);
  options.slates = flags.slates;
  VT_TRY(const ReplayReport report, engine->replay(session.run(), candidate, options));
  session.print(report.to_json(), text(report));
  return {};
}

}  // namespace

Command replay_command() {
  auto flags = std::make_shared<ReplayFlags>();
  return {
      "replay", "lists that were shown: how steady they were, what others would have been",
      "Alone, how much of a person's list stayed from one to the next, across refreshes and "
      "trainings.\n"
      "--with a candidate, its lists for the same requests: trains the candidate's models on the "
      "log up to the first of the latest requests, answers "
      "each from the\n"
      "state of then, and compares the lists with those that were shown. Nothing is published.\n\n"
      "  vitrine replay\n"
      "  vitrine replay --with candidate.toml\n"
      "  vitrine replay --with candidate.toml --requests 5000\n",
      [flags](Flags& f) {
        f.text("--with", flags->with, "configuration file of the candidate");
        f.number("--requests", flags->requests, 1, 10'000'000,
                 "how many of the logged requests, spread evenly");
        f.number("--top", flags->consistency.n, 1, 1000,
                 "without --with: how many items of a list are compared");
        f.number("--persistence", flags->consistency.persistence, 0.01, 0.999,
                 "without --with: of rank-biased overlap; larger looks deeper");
        f.text("--slates", flags->slates, "folder of slate files; default: the shop's own");
      },
      [flags](Session& session) { return replay(session, *flags); }};
}

}  // namespace vitrine
