// Small shops with a planted structure, for suites that run over every model.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "data/catalogue.h"
#include "data/histories.h"
#include "model/model.h"

namespace vitrine::testing {

// A person to ask about, and what they took next.
struct Visitor {
  std::vector<HistoryEvent> history;
  ItemIndex next;
};

struct World {
  Histories histories;
  Interactions interactions;
  Catalogue catalogue;
  std::vector<Visitor> visitors;

  TrainingSet set() const { return {histories, interactions, catalogue}; }
};

// The last `sessions` rows are anonymous.
inline World world_of(const std::vector<std::vector<HistoryEvent>>& rows, std::uint32_t items,
                      const InteractionOptions& merge = {}, std::uint32_t sessions = 0) {
  World world;
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (const auto& row : rows) {
    events.insert(events.end(), row.begin(), row.end());
    offsets.push_back(events.size());
  }
  const auto users = static_cast<std::uint32_t>(rows.size()) - sessions;
  world.histories = Histories(std::move(offsets), std::move(events), users, items);
  world.interactions = build_interactions(world.histories, merge);
  world.catalogue.resize(items);
  return world;
}

struct WorldShape {
  std::uint32_t persons = 300, tastes = 8, items_per_taste = 15, baskets = 4, basket_items = 3;
  std::uint32_t sessions = 0;  // of the persons, the last ones
  InteractionOptions merge = {};
};

// Everybody has one taste and buys baskets of items of that taste, the first ones of a taste most
// often; what is popular is rated highly. A visitor is another such person; `next` belongs to their
// taste and is new to them.
inline World planted_world(std::uint64_t seed, const WorldShape& shape = {}) {
  const Random random = Random(seed).fork("world");
  std::uint64_t draw = 0;
  const auto item_of = [&](std::uint32_t taste) {
    const double u = random.uniform(draw++);
    const auto place = static_cast<std::uint32_t>(u * u * shape.items_per_taste);
    return ItemIndex{place * shape.tastes + taste};
  };
  const auto some_taste = [&] {
    const double u = random.uniform(draw++);
    return static_cast<std::uint32_t>(u * u * shape.tastes);
  };
  const auto history_of = [&](std::uint32_t taste) {
    std::vector<HistoryEvent> row;
    for (std::uint32_t b = 0; b < shape.baskets; ++b) {
      for (std::uint32_t i = 0; i < shape.basket_items; ++i) {
        HistoryEvent event{item_of(taste), EventType::kPurchase};
        event.value = 5 - static_cast<float>(raw(event.item) / shape.tastes) * 0.05f -
                      static_cast<float>(taste) * 0.4f;
        event.time = static_cast<Timestamp>(b) * kDay + static_cast<Timestamp>(i) * kSecond;
        event.group = b;
        row.push_back(event);
      }
    }
    return row;
  };
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < shape.persons; ++p) rows.push_back(history_of(some_taste()));
  World world = world_of(rows, shape.tastes * shape.items_per_taste, shape.merge, shape.sessions);
  for (std::uint32_t p = 0; p < shape.persons; ++p) {
    const std::uint32_t taste = some_taste();
    Visitor visitor{history_of(taste), item_of(taste)};
    const auto has = [&](const HistoryEvent& e) { return e.item == visitor.next; };
    if (std::none_of(visitor.history.begin(), visitor.history.end(), has)) {
      world.visitors.push_back(std::move(visitor));
    }
  }
  for (std::uint32_t i = 0; i < world.histories.items(); ++i) {
    Item item;
    item.title = "item " + std::to_string(i);
    item.category = {"taste " + std::to_string(i % shape.tastes)};
    world.catalogue.put(ItemIndex{i}, item);
  }
  return world;
}

}  // namespace vitrine::testing
