#include "engine/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "base/json.h"
#include "data/vocabulary.h"
#include "engine/limits.h"
#include "engine/live_catalogue.h"
#include "engine/live_counts.h"
#include "engine/live_state_impl.h"
#include "index/item_search.h"
#include "store/segment.h"
#include "store/window.h"

namespace vitrine {
namespace {

// Binary, threads and buffers, the state store at rest; measured.
constexpr std::uint64_t kProgramBytes = 24 << 20;
constexpr std::uint64_t kTallySlot = sizeof(std::uint32_t) + sizeof(std::int64_t);
constexpr std::uint64_t kCachedWindows = 6;
constexpr std::uint64_t kRecordBytes = sizeof(PersonKey) + sizeof(std::uint32_t);  // checkpoint
constexpr std::uint64_t kShortString = 15;  // bytes that a string holds itself

std::uint64_t scaled(std::uint64_t count, double each) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * each));
}

// How many different ones `draws` even draws from `items` find.
std::uint64_t distinct(std::uint64_t items, double draws) {
  if (items == 0) return 0;
  const auto n = static_cast<double>(items);
  return static_cast<std::uint64_t>(std::llround(n * (1 - std::exp(-draws / n))));
}

std::uint64_t string_bytes(const std::string& text) {
  return text.size() > kShortString ? heap_bytes(text.size() + 1) : 0;
}

// Of an item beside its row: the object, and what its fields point to.
std::uint64_t item_bytes(const Item& item) {
  std::uint64_t bytes = heap_bytes(sizeof(Item) + 2 * sizeof(void*));
  for (const std::string* text :
       {&item.id, &item.title, &item.description, &item.brand, &item.currency, &item.image})
    bytes += string_bytes(*text);
  for (const auto* list : {&item.category, &item.tags}) {
    bytes += heap_bytes(list->size() * sizeof(std::string));
    for (const std::string& text : *list) bytes += string_bytes(text);
  }
  bytes += heap_bytes(item.attributes.size() * sizeof(Table::Entry));
  for (const auto& [key, value] : item.attributes) {
    bytes += string_bytes(key);
    if (const std::string* text = value.as_string()) bytes += string_bytes(*text);
  }
  return bytes;
}

// One hour or day of counts.
struct Buckets {
  std::uint64_t memory = 0, entries = 0;
  void add(std::uint64_t times, std::uint64_t items) {
    memory += times * Tally::slots_for(items) * kTallySlot;
    entries += times * items;
  }
};

Buckets counters(const PlanSize& size) {
  const auto events = static_cast<double>(size.events);
  const double day = events / kPopularDays, hour = day / 24;
  Buckets all;
  all.add(kPopularDays, distinct(size.items, day));
  all.add(kPopularHours, distinct(size.items, hour));
  const std::uint64_t regions = std::min<std::uint64_t>(size.regions, kRegionsMax);
  if (regions == 0) return all;
  const auto share = static_cast<double>(regions);
  const auto bounded = [&](double draws) {
    return std::min<std::uint64_t>(distinct(size.items, draws / share), kRegionItemsMax);
  };
  all.add(regions * kRegionDays, bounded(day));
  all.add(regions * kPopularHours, bounded(hour));
  return all;
}

// Of every model of item vectors that training fits: what it searches them by.
std::uint64_t search_bytes(std::uint64_t items, const Config& config) {
  std::uint64_t bytes = 0;
  const auto& names = config.train.models;
  for (const ModelConfig& model : config.models) {
    if (!names.empty() && std::find(names.begin(), names.end(), model.name) == names.end())
      continue;
    const auto factors = int_at(model.options, "factors");
    if (factors.ok()) bytes += ItemSearch::memory_bytes_for(items, *factors);
  }
  return bytes;
}

// Bytes of an event's payload: mask, type, two times, a quantity, and four ids.
std::uint64_t payload_bytes(const PlanSize& size) { return 17 + 4 * (1 + size.id_bytes); }

}  // namespace

Item planned_item(std::uint64_t number, std::uint64_t id_bytes) {
  Item item;
  const std::string digits = std::to_string(number);
  item.id = digits.size() < id_bytes ? std::string(id_bytes - digits.size(), '0') + digits : digits;
  item.title = "A thing of forty letters, number " + digits;
  item.category = {"Home", "Kitchen", "Things"};
  item.brand = "Somebody";
  item.currency = "EUR";
  item.image = "https://shop.example/images/of/things/" + digits + ".jpg";
  item.price = 9.99;
  item.attributes = Table{{"colour", "blue"}, {"size", 42}, {"material", "steel"}, {"new", true}};
  return item;
}

std::uint64_t Plan::memory_bytes() const {
  std::uint64_t sum = 0;
  for (const Row& row : rows) sum += row.memory_bytes;
  return sum;
}

std::uint64_t Plan::disk_bytes() const {
  std::uint64_t sum = 0;
  for (const Row& row : rows) sum += row.disk_bytes;
  return sum;
}

const Plan::Row& Plan::row(std::string_view what) const {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.what == what; });
  VT_CHECK(found != rows.end());
  return *found;
}

Value Plan::to_json() const {
  List list;
  for (const Row& row : rows)
    list.emplace_back(Table{{"what", row.what},
                            {"memory_bytes", static_cast<std::int64_t>(row.memory_bytes)},
                            {"disk_bytes", static_cast<std::int64_t>(row.disk_bytes)}});
  return Table{{"rows", std::move(list)},
               {"memory_bytes", static_cast<std::int64_t>(memory_bytes())},
               {"disk_bytes", static_cast<std::int64_t>(disk_bytes())}};
}

Plan plan(const PlanSize& size, const Config& config) {
  const auto users = static_cast<std::uint32_t>(std::min<std::uint64_t>(size.users, ~0U - 2));
  const auto items = static_cast<std::uint32_t>(std::min<std::uint64_t>(size.items, ~0U - 2));
  const double each = std::min(static_cast<double>(size.events) / std::max(1U, users),
                               static_cast<double>(kHistoryMax));
  const std::uint64_t kept = scaled(users, each);
  const std::uint64_t in_memory =
      kLiveShards * Persons::memory_bytes_for((users + kLiveShards - 1) / kLiveShards, each);
  const std::uint64_t limit = static_cast<std::uint64_t>(config.live.memory_mb) << 20;
  const std::uint64_t evicted = in_memory > limit ? in_memory - limit : 0;
  const Buckets counts = counters(size);
  const std::uint64_t blocks = (items + std::uint64_t{kCatalogueBlock} - 1) / kCatalogueBlock;
  const Item item = planned_item(items, size.id_bytes);
  const std::uint64_t json = to_json(item_to_json(item)).size();
  const std::uint64_t id_text = (std::uint64_t{users} + items) * size.id_bytes;
  const std::uint64_t log = size.events * (kRecordHeaderBytes + payload_bytes(size)) +
                            items * (kRecordHeaderBytes + json);
  const std::uint64_t checkpoint = users * kRecordBytes + kept * sizeof(Kept) + id_text +
                                   (std::uint64_t{users} + items) * sizeof(std::uint64_t) +
                                   counts.entries * kTallySlot +
                                   items * (json + sizeof(std::uint64_t) * 2 + 5);
  Plan plan;
  plan.rows = {
      {"program", kProgramBytes, 0},
      {"people", in_memory - evicted, evicted},
      {"ids of users", StringIndex::memory_bytes_for(users, users * size.id_bytes), 0},
      {"ids of items", StringIndex::memory_bytes_for(items, items * size.id_bytes), 0},
      {"counters", counts.memory + items * sizeof(std::int64_t) * (1 + kCachedWindows), 0},
      {"catalogue",
       blocks * heap_bytes(kCatalogueBlock * sizeof(std::shared_ptr<const Item>) + 16) +
           items * item_bytes(item) + items / 4,
       0},
      {"search of item vectors", search_bytes(items, config), 0},
      {"ids of events",
       IdWindow::memory_bytes_for(size.events, static_cast<std::uint64_t>(config.log.window)), 0},
      {"log", 0, log},
      {"checkpoint, and the next one while it is written", 0, 2 * checkpoint},
      {"slates, at most", 0, kSlateFilesMax * kSlateFileBytes}};
  return plan;
}

}  // namespace vitrine
