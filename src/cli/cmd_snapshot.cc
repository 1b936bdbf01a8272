#include <fmt/format.h>

#include "cli/command.h"
#include "cli/report.h"
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

Status publish(Session& session, Engine& engine, const std::string& name) {
  VT_TRY(engine.publish(name));
  session.print(Table{{"published", name}}, "Published " + name + "\n");
  return {};
}

// What the gate saw, of the snapshot named or the published one.
Status show(Session& session, const Engine& engine, std::string name) {
  if (name.empty()) name = engine.status().snapshot;
  VT_TRY(const auto manifests, engine.snapshots());
  for (const Manifest& manifest : manifests) {
    if (manifest.name != name) continue;
    const Publication& publication = manifest.publication;
    std::string text = fmt::format("{}: {}\n", name, publication.verdict);
    if (!publication.reason.empty()) text += "forced: " + publication.reason + "\n";
    session.print(manifest.to_json(),
                  text + searches_text(manifest.searches) + checks_text(publication.checks));
    return {};
  }
  return Error{Code::kNotFound,
               "there is no snapshot '" + name + "'; 'vitrine snapshot' lists those there are"};
}

// The newest one before the published one that the gate let through.
Status roll_back(Session& session, Engine& engine) {
  VT_TRY(const auto manifests, engine.snapshots());
  const std::string published = engine.status().snapshot;
  bool older = false;
  for (const Manifest& manifest : manifests) {
    if (older && manifest.publication.passed) return publish(session, engine, manifest.name);
    older = older || manifest.name == published;
  }
  return Error{Code::kNotFound, published.empty() ? "nothing is published yet"
                                                  : "there is no snapshot before " + published +
                                                        " ([train] snapshots_kept)"};
}

Status snapshot(Session& session, const SnapshotFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  if (flags.action == "list") return list_snapshots(session, *engine);
  if (flags.action == "show") return show(session, *engine, flags.name);
  if (flags.action == "rollback") return roll_back(session, *engine);
  if (flags.name.empty()) {
    return Error{Code::kInvalid,
                 "publish needs the name of a snapshot; 'vitrine snapshot' lists them"};
  }
  return publish(session, *engine, flags.name);
}

}  // namespace

Command snapshot_command() {
  auto flags = std::make_shared<SnapshotFlags>();
  return {
      "snapshot", "list what was trained; publish an earlier one",
      "  vitrine snapshot\n"
      "  vitrine snapshot show                        what the gate found\n"
      "  vitrine snapshot rollback                    to the one before the published one\n"
      "  vitrine snapshot publish 000001-541909\n",
      [flags](Flags& f) {
        f.choice("action", flags->action, {"list", "show", "rollback", "publish"}, "what to do");
        f.argument("name", flags->name, false, "the snapshot to show or publish");
      },
      [flags](Session& session) -> Status { return snapshot(session, *flags); }};
}

}  // namespace vitrine
