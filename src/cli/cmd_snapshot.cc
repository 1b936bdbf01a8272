#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_table.h"
#include "data/item.h"

namespace vitrine {
namespace {

struct SnapshotFlags {
  std::string action = "list", name;
};

Status list_snapshots(Session& session, const Engine& engine) {
  VT_TRY(const auto manifests, engine.snapshots());
  const std::string published = engine.status().snapshot;
  TextTable table({"", "snapshot", ">log up to", ">events", ">users", ">items", "last event",
                   "models", "verdict"});
  List json;
  for (const Manifest& manifest : manifests) {
    std::string models;
    for (const auto& model : manifest.models) models += (models.empty() ? "" : ", ") + model.first;
    table.row({manifest.name == published ? "→" : "", manifest.name,
               format_count(manifest.sequence), format_count(manifest.events),
               format_count(manifest.users), format_count(manifest.items),
               manifest.last_event == kNoTime ? "" : format_time(manifest.last_event), models,
               manifest.publication.verdict});
    json.push_back(manifest.to_json());
  }
  session.print(Table{{"published", published}, {"snapshots", json}},
                manifests.empty() ? "No snapshot yet: run 'vitrine train'.\n" : table.str());
  return {};
}

Status snapshot(Session& session, const SnapshotFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  if (flags.action == "list") return list_snapshots(session, *engine);
  if (flags.name.empty()) {
    return Error{Code::kInvalid,
                 "publish needs the name of a snapshot; 'vitrine snapshot' lists them"};
  }
  VT_TRY(engine->publish(flags.name));
  session.print(Table{{"published", flags.name}}, "Published " + flags.name + "\n");
  return {};
}

}  // namespace

Command snapshot_command() {
  auto flags = std::make_shared<SnapshotFlags>();
  return {"snapshot", "list what was trained; publish an earlier one",
          "  vitrine snapshot\n"
          "  vitrine snapshot publish 000001-541909       roll back\n",
          [flags](Flags& f) {
            f.choice("action", flags->action, {"list", "publish"}, "what to do");
            f.argument("name", flags->name, false, "the snapshot to publish");
          },
          [flags](Session& session) -> Status { return snapshot(session, *flags); }};
}

}  // namespace vitrine
