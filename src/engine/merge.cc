#include "engine/merge.h"

#include "base/file.h"
#include "base/json.h"
#include "data/event.h"
#include "engine/limits.h"

namespace vitrine {

std::string encode_merge(const Merge& merge) {
  Table table{{"to", merge.to}};
  if (!merge.session.empty()) table.set("session", merge.session);
  if (!merge.user.empty()) table.set("user", merge.user);
  return to_json(table);
}

Result<Merge> decode_merge(std::span<const std::byte> payload) {
  const auto json = parse_json(as_text(payload));
  if (!json.ok()) return Error{Code::kCorrupt, "merge: " + json.error().message};
  const Error wrong{Code::kCorrupt, "merge: names no session or user to merge into a user"};
  if (json->as_table() == nullptr) return wrong;
  Merge merge;
  for (const auto& [key, value] : *json->as_table()) {
    std::string* into = key == "to"        ? &merge.to
                        : key == "session" ? &merge.session
                        : key == "user"    ? &merge.user
                                           : nullptr;
    if (into == nullptr || value.as_string() == nullptr) return wrong;
    if (!check_id(*value.as_string(), key).ok()) return wrong;
    *into = *value.as_string();
  }
  if (merge.to.empty() || merge.session.empty() == merge.user.empty()) return wrong;
  return merge;
}

std::string region_of(std::string_view context, std::string_view key) {
  // Most events have none: found out before anything is parsed.
  if (key.empty() || context.find(key) == std::string_view::npos) return {};
  const auto json = parse_json(context);
  if (!json.ok() || json->as_table() == nullptr) return {};
  const Value* value = json->as_table()->find(key);
  if (value == nullptr || value->as_string() == nullptr) return {};
  return value->as_string()->size() > kRegionBytesMax ? std::string() : *value->as_string();
}

}  // namespace vitrine
