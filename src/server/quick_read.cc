#include "server/quick_read.h"

#include "data/item.h"

namespace vitrine {
namespace {

using Kind = JsonView::Kind;

// The fields of one object that were seen: each may come once.
class Seen {
 public:
  bool first(std::size_t field) {
    const std::uint32_t bit = std::uint32_t{1} << field;
    const bool is_first = (bits_ & bit) == 0;
    bits_ |= bit;
    return is_first;
  }

 private:
  std::uint32_t bits_ = 0;
};

bool read_text(const JsonView& json, std::string& into) {
  if (json.kind() != Kind::kText) return false;
  into = json.text();
  return true;
}

bool read_integer(const JsonView& json, std::int64_t low, std::int64_t high, std::int64_t& into) {
  if (json.kind() != Kind::kInteger || json.integer() < low || json.integer() > high) return false;
  into = json.integer();
  return true;
}

bool read_texts(const JsonView& json, std::size_t most, std::vector<std::string>& into) {
  return json.kind() == Kind::kList && json.each_element([&](const JsonView& element) {
    if (element.kind() != Kind::kText || into.size() == most) return false;
    into.emplace_back(element.text());
    return true;
  });
}

bool read_number(const JsonView& json, double& into) {
  if (json.kind() != Kind::kDouble && json.kind() != Kind::kInteger) return false;
  into = json.kind() == Kind::kDouble ? json.number() : static_cast<double>(json.integer());
  return true;
}

constexpr std::pair<std::string_view, std::string RecommendRequest::*> kRequestTexts[] = {
    {"user", &RecommendRequest::user},
    {"session", &RecommendRequest::session},
    {"placement", &RecommendRequest::placement},
    {"repeat", &RecommendRequest::repeat},
    {"item", &RecommendRequest::item}};

constexpr std::pair<std::string_view, std::string Event::*> kEventTexts[] = {
    {"id", &Event::id},      {"user", &Event::user},   {"session", &Event::session},
    {"item", &Event::item},  {"order", &Event::order}, {"slate", &Event::slate},
    {"query", &Event::query}};
constexpr std::pair<std::string_view, double Event::*> kEventNumbers[] = {
    {"value", &Event::value}, {"quantity", &Event::quantity}, {"price", &Event::price}};

bool read_field(const Call& call, std::string_view key, const JsonView& json, Seen& seen,
                RecommendRequest& request) {
  const auto most = static_cast<std::size_t>(call.options.batch_max);
  std::size_t field = 0;
  for (const auto& [name, member] : kRequestTexts) {
    if (key == name) return seen.first(field) && read_text(json, request.*member);
    ++field;
  }
  std::int64_t number = 0;
  if (key == "n") {
    if (!seen.first(field) || !read_integer(json, 1, call.options.n_max, number)) return false;
    request.n = static_cast<int>(number);
    return true;
  }
  if (key == "explain") {
    if (!seen.first(field + 1) || json.kind() != Kind::kBool) return false;
    request.explain = json.flag();
    return true;
  }
  if (key == "exclude") return seen.first(field + 2) && read_texts(json, most, request.exclude);
  if (key == "cart") return seen.first(field + 3) && read_texts(json, most, request.cart);
  if (key == "models")
    return seen.first(field + 4) && read_texts(json, kItemListMax, request.models);
  if (key == "categories")
    return seen.first(field + 5) && read_texts(json, kItemListMax, request.categories);
  return false;
}

bool read_field(const EventTypes& types, std::string_view key, const JsonView& json, Seen& seen,
                Event& event) {
  std::size_t field = 0;
  for (const auto& [name, member] : kEventTexts) {
    if (key == name) return seen.first(field) && read_text(json, event.*member);
    ++field;
  }
  for (const auto& [name, member] : kEventNumbers) {
    if (key == name) return seen.first(field) && read_number(json, event.*member);
    ++field;
  }
  if (json.kind() != Kind::kText) return false;
  if (key == "type") {
    const auto type = types.find(json.text());
    if (!seen.first(field) || !type.ok()) return false;
    event.type = *type;
    return true;
  }
  if (key == "time") {
    const auto time = parse_time(json.text());
    if (!seen.first(field + 1) || !time.ok()) return false;
    event.time = *time;
    return true;
  }
  return false;
}

}  // namespace

std::optional<RecommendRequest> quick_request(const Call& call) {
  const auto json = parse_json_view(call.request.body);
  if (!json || json->kind() != Kind::kObject) return std::nullopt;
  std::optional<RecommendRequest> request(std::in_place);
  Seen seen;
  const bool read = json->each_field([&](std::string_view key, const JsonView& field) {
    return read_field(call, key, field, seen, *request);
  });
  if (!read) return std::nullopt;
  return request;
}

std::optional<Event> quick_event(const JsonView& json, const EventTypes& types) {
  if (json.kind() != Kind::kObject) return std::nullopt;
  std::optional<Event> event(std::in_place);
  bool typed = false;
  Seen seen;
  const bool read = json.each_field([&](std::string_view key, const JsonView& field) {
    typed = typed || key == "type";
    return read_field(types, key, field, seen, *event);
  });
  if (!read || !typed || !check_event(*event).ok()) return std::nullopt;
  return event;
}

}  // namespace vitrine
