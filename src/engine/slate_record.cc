#include "engine/slate_record.h"

#include "base/json_writer.h"
#include "data/item.h"

namespace vitrine {
namespace {

constexpr std::size_t kHeadBytes = 512, kItemBytes = 96;  // of a record, about

void field(JsonWriter& json, std::string_view key, std::string_view text) {
  if (!text.empty()) json.key(key).text(text);
}

// What was asked with beside that which is recorded.
std::string narrowing(const RecommendRequest& request) {
  std::string names;
  const auto name = [&](bool given, std::string_view field) {
    if (given) names.append(names.empty() ? "" : " ").append(field);
  };
  name(!request.categories.empty(), "categories");
  name(!request.exclude.empty(), "exclude");
  name(!request.cart.empty(), "cart");
  name(!request.history.empty(), "history");
  name(!request.repeat.empty(), "repeat");
  name(!request.models.empty(), "models");
  name(!request.context.empty(), "context");
  return names;
}

}  // namespace

std::string slate_record(const Answer& answer, const RecommendRequest& request, Timestamp time,
                         std::size_t offset) {
  std::string line;
  line.reserve(kHeadBytes + kItemBytes * answer.items.size());
  JsonWriter json(line);
  json.open('{');
  field(json, "slate_id", answer.slate_id);
  field(json, "time", format_time(time));
  field(json, "user", request.user);
  field(json, "session", request.session);
  field(json, "placement", request.placement);
  field(json, "item", request.item);
  field(json, "snapshot", answer.snapshot);
  json.key("sequence").integer(static_cast<std::int64_t>(answer.sequence));
  field(json, "policy", "fusion");
  field(json, "variant", "only");
  json.key("n").integer(request.n);
  if (offset > 0) json.key("offset").integer(static_cast<std::int64_t>(offset));
  field(json, "narrowed", narrowing(request));
  json.key("items").open('[');
  std::int64_t position = static_cast<std::int64_t>(offset);
  for (const AnsweredItem& item : answer.items) {
    json.open('{');
    field(json, "item", item.id);
    json.key("position").integer(++position);
    json.key("score").number(static_cast<float>(item.score));
    json.key("propensity").number(static_cast<float>(item.propensity));
    field(json, "source", item.source);
    json.close('}');
  }
  json.close(']');
  field(json, "degraded", answer.degraded);
  field(json, "shortfall", answer.shortfall);
  json.close('}');
  return line;
}

}  // namespace vitrine
