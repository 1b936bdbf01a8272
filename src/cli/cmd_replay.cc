#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

struct ReplayFlags {
  std::string with, slates;
  int requests = 1000;
};

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
  if (flags.with.empty()) {
    return Error{Code::kInvalid, "--with is missing: the configuration that is to be tried"};
  }
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
      "replay", "yesterday's requests, asked of another configuration",
      "Trains the candidate's models on the log up to the first of the latest requests, answers "
      "each from the\n"
      "state of then, and compares the lists with those that were shown. Nothing is published.\n\n"
      "  vitrine replay --with candidate.toml\n"
      "  vitrine replay --with candidate.toml --requests 5000\n",
      [flags](Flags& f) {
        f.text("--with", flags->with, "configuration file of the candidate");
        f.number("--requests", flags->requests, 1, 10'000'000,
                 "how many of the logged requests, spread evenly");
        f.text("--slates", flags->slates, "folder of slate files; default: the shop's own");
      },
      [flags](Session& session) { return replay(session, *flags); }};
}

}  // namespace vitrine
