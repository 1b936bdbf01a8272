#include "engine/shown.h"

#include <algorithm>

#include "base/json.h"
#include "data/item.h"

namespace vitrine {
namespace {

std::string text_of(const Table& line, std::string_view key) {
  const Value* value = line.find(key);
  return value != nullptr && value->as_string() != nullptr ? *value->as_string() : std::string();
}

bool read_line(std::string_view text, Shown& shown) {
  const auto json = parse_json(text);
  const Table* line = json.ok() ? json->as_table() : nullptr;
  if (line == nullptr) return false;
  const auto sequence = int_at(*line, "sequence"), n = int_at(*line, "n");
  const Value* items = line->find("items");
  if (!sequence.ok() || !n.ok() || items == nullptr || items->as_list() == nullptr) return false;
  shown.slate = text_of(*line, "slate_id");
  shown.time = text_of(*line, "time");
  shown.snapshot = text_of(*line, "snapshot");
  shown.sequence = static_cast<std::uint64_t>(*sequence);
  RecommendRequest& request = shown.request;
  request.user = text_of(*line, "user");
  request.session = text_of(*line, "session");
  request.placement = text_of(*line, "placement");
  request.item = text_of(*line, "item");
  request.n = static_cast<int>(std::clamp<std::int64_t>(*n, 1, 1000));
  shown.items.clear();
  for (const Value& item : *items->as_list()) {
    if (item.as_table() != nullptr) shown.items.push_back(text_of(*item.as_table(), "item"));
  }
  // A later page, or a list that more was asked of than the line says, is no list of its own.
  if (line->find("offset") != nullptr || line->find("narrowed") != nullptr) return false;
  if (const auto time = parse_time(shown.time); time.ok()) request.now = *time;
  const bool known = request.placement != "popular" && request.placement != "similar" &&
                     request.placement != "together";
  return known && (!request.user.empty() || !request.session.empty());
}

}  // namespace

Result<std::vector<Shown>> read_shown(FileSystem& files, const std::string& folder) {
  std::vector<Shown> all;
  const auto names = files.list(folder);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (!name.ends_with(".jsonl")) continue;
    VT_TRY(const std::string text, read_file(files, folder + "/" + name));
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      Shown shown;
      if (read_line(std::string_view(text).substr(begin, end - begin), shown))
        all.push_back(std::move(shown));
      begin = end + 1;
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Shown& a, const Shown& b) { return a.sequence < b.sequence; });
  return all;
}

}  // namespace vitrine
