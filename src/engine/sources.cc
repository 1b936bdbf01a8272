#include "engine/sources.h"

#include <algorithm>
#include <numeric>

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

// The named ones first, in their order, then the others by falling weight.
std::vector<std::uint32_t> cascade_of(const std::vector<Source>& sources,
                                      const std::vector<std::string>& named) {
  const auto place = [&](std::uint32_t i) {
    return std::find(named.begin(), named.end(), sources[i].name) - named.begin();
  };
  std::vector<std::uint32_t> order(sources.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return place(a) != place(b) ? place(a) < place(b) : sources[a].weight > sources[b].weight;
  });
  return order;
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
  out.cascade = cascade_of(out.sources, placement.cascade);
  return out;
}

}  // namespace vitrine
