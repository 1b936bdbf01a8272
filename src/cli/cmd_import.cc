#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

struct ImportFlags {
  std::vector<std::string> files;
  std::vector<std::string> map;
  bool strict = false;
};

// A file on the command line is relative to where it was typed, not to the configuration file.
std::string absolute_path(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// The sources of one invocation: those of the configuration, or the given files with the given
// mapping.
Result<std::vector<SourceOptions>> sources_of(const ImportFlags& flags, const Config& config) {
  if (flags.files.empty()) {
    if (!config.sources.empty()) return config.sources;
    return Error{Code::kInvalid,
                 "nothing to import: name a file, or add a [[sources]] section to vitrine.toml "
                 "(docs/import.md shows how)"};
  }
  Table mapping;
  for (const std::string& entry : flags.map) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return Error{Code::kInvalid,
                   "--map " + entry + ": expected option=column, as in user=customer_id"};
    }
    VT_TRY(set_path(mapping, entry.substr(0, equals), entry.substr(equals + 1)));
  }
  std::vector<SourceOptions> sources;
  for (const std::string& file : flags.files) {
    VT_TRY(SourceOptions source, read_options<SourceOptions>(mapping, "--map"));
    source.path = absolute_path(file);
    sources.push_back(std::move(source));
  }
  return sources;
}

void add_row(TextTable& table, const SourceOptions& source, const ImportReport& report,
             const Usage& cost) {
  table.row({source.path, source.kind, format_count(report.rows),
             format_count(report.accepted - std::min(report.accepted, report.repeated)),
             format_count(report.repeated), format_count(report.ignored),
             format_count(report.rejected), fmt::format("{:.2f}", cost.cpu_s),
             format_count(static_cast<std::uint64_t>(
                 cost.cpu_s > 0 ? static_cast<double>(report.rows) / cost.cpu_s : 0))});
}

Status import_all(Session& session, const ImportFlags& flags) {
  VT_TRY(const auto sources, sources_of(flags, session.config()));
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  TextTable table({"source", "kind", ">rows", ">new", ">known", ">ignored", ">rejected", ">CPU s",
                   ">rows/CPU s"});
  List json;
  std::string reasons;
  for (const SourceOptions& source : sources) {
    const Run run = session.run();
    const Usage before = run.monitor.usage();
    VT_TRY(const ImportReport report, engine->import(run, source, flags.strict));
    Usage cost = run.monitor.usage();
    cost.cpu_s -= before.cpu_s;
    add_row(table, source, report, cost);
    for (const std::string& reason : report.reasons) reasons += "  " + reason + "\n";
    json.push_back(report.to_json());
  }
  std::string text = table.str();
  if (!reasons.empty())
    text += "\nRejected (the first reasons; --strict stops at the first):\n" + reasons;
  session.print(Table{{"sources", json}, {"sequence", engine->status().sequence}}, text);
  return {};
}

}  // namespace

Command import_command() {
  auto flags = std::make_shared<ImportFlags>();
  return {"import", "read events, items and users from files into the event log",
          "Without FILE the [[sources]] of vitrine.toml are read, in order. A FILE without --map "
          "is read by the\n"
          "names of its columns (user_id, item_id, event, timestamp and their usual relatives).\n"
          "Importing a file twice changes nothing. CSV and JSON Lines, plain, gzip or zstd.\n\n"
          "  vitrine import\n"
          "  vitrine import clicks.csv.gz --map user=visitor,item=sku,time=ts,default_type=view\n",
          [flags](Flags& f) {
            f.arguments("file", flags->files, "files to read instead of the configured sources");
            f.list("--map", flags->map,
                   "option=column of a [[sources]] section, for the files given here");
            f.flag("--strict", flags->strict, "stop at the first bad row");
          },
          [flags](Session& session) { return import_all(session, *flags); }};
}

}  // namespace vitrine
