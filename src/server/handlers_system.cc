// Handlers about the server itself.
#include "server/limits.h"
#include "server/metrics.h"
#include "server/routes.h"
#include "server/server.h"

namespace vitrine {
namespace {

Value status_json(const EngineStatus& status) {
  return Table{{"ready", status.ready},
               {"snapshot", status.snapshot},
               {"sequence", status.sequence},
               {"snapshot_sequence", status.snapshot_sequence},
               {"users", status.users},
               {"items", status.items},
               {"incomplete_items", status.incomplete_items},
               {"events", status.events},
               {"persons_live", status.persons_live},
               {"training", status.training},
               {"slates_logged", status.slates_logged},
               {"slates_dropped", status.slates_dropped},
               {"new_items", status.new_items},
               {"new_items_shown", status.new_items_shown},
               {"new_item_seconds", status.new_item_seconds},
               {"memory_bytes", status.memory_bytes}};
}

}  // namespace

Result<HttpResponse> get_status(const Call& call) {
  return json_response(status_json(call.engine.status()));
}

Result<HttpResponse> get_snapshots(const Call& call) {
  VT_TRY(const auto manifests, call.engine.snapshots());
  List rows;
  for (const Manifest& manifest : manifests) rows.push_back(manifest.to_json());
  return json_response(
      Table{{"published", call.engine.status().snapshot}, {"snapshots", std::move(rows)}});
}

Result<HttpResponse> publish_snapshot(const Call& call) {
  VT_TRY(call.engine.publish(call.path[0]));
  return get_status(call);
}

Result<HttpResponse> post_training(const Call& call) {
  TrainRequest request;
  if (!call.request.body.empty()) {
    VT_TRY(const Value body, call.json());
    const Table* table = body.as_table();
    if (table == nullptr) return Error{Code::kInvalid, "body: expected an object"};
    for (const Table::Entry& entry : *table) {
      if (entry.first == "force" && entry.second.as_bool() != nullptr)
        request.force = *entry.second.as_bool();
      else if (entry.first == "reason" && entry.second.as_string() != nullptr)
        request.reason = *entry.second.as_string();
      else
        return Error{Code::kInvalid, "body: expected force (boolean) and reason (string), found '" +
                                         entry.first + "'"};
    }
    if (request.reason.size() > kReasonBytesMax) {
      return Error{Code::kInvalid,
                   "reason: longer than " + std::to_string(kReasonBytesMax) + " bytes"};
    }
  }
  VT_TRY(call.engine.start_training(request));
  return json_response(status_json(call.engine.status()), 202);
}

Result<HttpResponse> get_healthz(const Call&) { return json_response(Table{{"status", "ok"}}); }

Result<HttpResponse> get_readyz(const Call& call) {
  const EngineStatus status = call.engine.status();
  if (status.ready) return json_response(Table{{"status", "ready"}, {"snapshot", status.snapshot}});
  const char* why = status.snapshot.empty()
                        ? "no snapshot yet: train one"
                        : "memory ran out while what was logged was taken in: start again";
  return json_response(Table{{"status", why}, {"snapshot", status.snapshot}}, 503);
}

Result<HttpResponse> get_metrics(const Call& call) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = call.metrics.text(call.engine.status());
  return response;
}

Result<HttpResponse> get_openapi(const Call&) {
  HttpResponse response;
  static const std::string document = openapi_document();
  response.body = document;
  return response;
}

}  // namespace vitrine
