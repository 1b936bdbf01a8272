#include "engine/sources.h"

namespace vitrine {
namespace {

std::vector<std::string> strings_at(const Table& table, std::string_view key) {
  std::vector<std::string> strings;
  const Value* value = table.find(key);
  if (value == nullptr || value->as_list() == nullptr) return strings;
  for (const Value& entry : *value->as_list()) {
    if (entry.as_string() != nullptr) strings.push_back(*entry.as_string());
  }
  return strings;
}

// The placement as the snapshot was trained with; null when it did not know it.
const Table* trained_placement(const Manifest& manifest, std::string_view name) {
  const Value* placements = manifest.config.find("placements");
  if (placements == nullptr || placements->as_table() == nullptr) return nullptr;
  const Value* placement = placements->as_table()->find(name);
  return placement == nullptr ? nullptr : placement->as_table();
}

float weight_of(std::string_view model, const std::vector<std::string>& weights) {
  for (const std::string& text : weights) {
    const auto weight = parse_weight(text);
    if (weight.ok() && weight->name == model) return static_cast<float>(weight->weight);
  }
  return 1;
}

}  // namespace

bool is_personal(std::string_view kind) { return kind != "popularity" && kind != "together"; }

PlacementSources placement_sources(const Snapshot& snapshot, const PlacementOptions& placement) {
  std::vector<std::string> names = placement.models, weights = placement.weights;
  const Table* trained = trained_placement(snapshot.manifest, placement.name);
  if (names.empty() && trained != nullptr) {
    names = strings_at(*trained, "models");
    if (weights.empty()) weights = strings_at(*trained, "weights");
  }
  if (names.empty()) {
    for (const NamedModel& named : snapshot.models) {
      if (is_personal(named.kind)) names.push_back(named.name);
    }
  }
  PlacementSources out;
  for (const NamedModel& named : snapshot.models) {
    if (out.fallback != nullptr || named.kind != "popularity") continue;
    out.fallback = named.model.get();
    out.fallback_name = named.name;
  }
  for (const std::string& name : names) {
    bool found = false;
    for (const NamedModel& named : snapshot.models) {
      if (named.name != name) continue;
      out.sources.push_back({named.name, named.model.get(), weight_of(name, weights)});
      found = true;
    }
    if (!found) out.missing.push_back(name);
  }
  return out;
}

}  // namespace vitrine
