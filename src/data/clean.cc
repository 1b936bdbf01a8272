#include "data/clean.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "data/bots.h"
#include "data/glob.h"
#include "data/item.h"
#include "data/readable.h"
#include "data/returns.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kNone = EventTable::kNone;
constexpr std::size_t kExamplesMax = 3;
constexpr Timestamp kFirstTime = 788'918'400'000;  // 1995-01-01: nobody sold on the Web before

class Cleaner {
 public:
  Cleaner(const EventTable& events, const Vocabulary& vocabulary, const EventTypes& types,
          const CleaningOptions& options)
      : events_(events),
        vocabulary_(vocabulary),
        types_(types),
        options_(options),
        kept_(events.size(), 1),
        quantity_(events.quantity) {}

  // In this order; each sees what those before it left.
  void duplicates();
  void missing_ids();
  void impossible_times();
  void impossible_prices();
  void non_products();
  void bots();
  void returns();
  void cart_removals();

  void begin_rule(std::string name, std::string meaning, bool enabled);
  CleanView view() &&;

 private:
  void take(std::size_t row);
  void take_if(const auto& condition);
  std::string readable(std::size_t row) const;
  std::string readable_person(std::size_t row) const;

  const EventTable& events_;
  const Vocabulary& vocabulary_;
  const EventTypes& types_;
  const CleaningOptions& options_;
  std::vector<std::uint8_t> kept_;
  std::vector<float> quantity_;
  CleaningReport report_;
};

void Cleaner::begin_rule(std::string name, std::string meaning, bool enabled) {
  if (!enabled) meaning += " (switched off)";
  report_.rules.push_back({std::move(name), std::move(meaning), enabled, 0, {}});
}

void Cleaner::take(std::size_t row) {
  kept_[row] = 0;
  CleaningRule& rule = report_.rules.back();
  ++rule.rows;
  if (rule.examples.size() < kExamplesMax) rule.examples.push_back(readable(row));
}

void Cleaner::take_if(const auto& condition) {
  for (std::size_t row = 0; row < events_.size(); ++row) {
    if (kept_[row] && condition(row)) take(row);
  }
}

std::string Cleaner::readable_person(std::size_t row) const {
  if (events_.user[row] != kNoUser)
    return fmt::format("user {}", vocabulary_.id(events_.user[row]));
  if (events_.session[row] == kNone) return "nobody";
  return fmt::format("session {}", events_.sessions.id(events_.session[row]));
}

std::string Cleaner::readable(std::size_t row) const {
  const bool has_item = events_.item[row] != kNoItem, has_time = events_.time[row] != kNoTime;
  std::string text = fmt::format(
      "{}, {}, {}, {}", readable_person(row),
      has_item ? fmt::format("item {}", vocabulary_.id(events_.item[row])) : std::string("no item"),
      has_time ? format_time(events_.time[row]) : std::string("no time"),
      types_.name(events_.type[row]));
  if (!std::isnan(events_.quantity[row]))
    text += fmt::format(", quantity {:g}", events_.quantity[row]);
  if (!std::isnan(events_.price[row])) text += fmt::format(", price {:g}", events_.price[row]);
  return text;
}

void Cleaner::duplicates() {
  // Open addressing over the hashes; an empty slot holds no row.
  std::vector<std::uint32_t> slots(std::bit_ceil(2 * events_.size() + 1), kNone);
  take_if([&](std::size_t row) {
    std::size_t slot = events_.content[row] & (slots.size() - 1);
    while (slots[slot] != kNone) {
      if (events_.content[slots[slot]] == events_.content[row]) return true;
      slot = (slot + 1) & (slots.size() - 1);
    }
    slots[slot] = static_cast<std::uint32_t>(row);
    return false;
  });
}

void Cleaner::missing_ids() {
  take_if([&](std::size_t row) {
    const bool whole_order = events_.type[row] == EventType::kReturn && events_.order[row] != kNone;
    const bool needs_item = events_.type[row] != EventType::kSearch && !whole_order;
    return (needs_item && events_.item[row] == kNoItem) ||
           events_.person(row) == EventTable::kNobody;
  });
}

void Cleaner::impossible_times() {
  take_if([&](std::size_t row) {
    const Timestamp time = events_.time[row], received = events_.received[row];
    if (time == kNoTime) return false;
    return time < kFirstTime || (received != kNoTime && time - kDay > received);
  });
}

void Cleaner::impossible_prices() {
  take_if([&](std::size_t row) {
    const float price = events_.price[row];
    if (std::isnan(price)) return false;
    const bool free = options_.drop_free && events_.type[row] == EventType::kPurchase && price == 0;
    const bool refund = price < 0 && is_return(events_, row);  // as some books write it
    return (price < 0 && !refund) || !std::isfinite(price) || free;
  });
}

void Cleaner::non_products() {
  std::vector<std::uint8_t> product(vocabulary_.items.size(), 1);
  for (const std::string& id : options_.non_product_ids) {
    if (const auto item = vocabulary_.item(id)) product[raw(*item)] = 0;
  }
  for (std::uint32_t i = 0; i < product.size(); ++i) {
    for (const std::string& pattern : options_.non_product_patterns) {
      if (product[i] && glob_matches(pattern, vocabulary_.items.id(i))) product[i] = 0;
    }
  }
  take_if([&](std::size_t row) {
    const ItemIndex item = events_.item[row];
    return item != kNoItem && product[raw(item)] == 0;
  });
}

void Cleaner::bots() {
  const std::vector<Bot> bots = find_bots(
      events_, kept_,
      {options_.bot_events_per_minute, options_.bot_minutes, options_.bot_events_per_day});
  if (bots.empty()) return;
  CleaningRule& rule = report_.rules.back();
  std::vector<std::uint8_t> shown(bots.size());
  for (std::size_t row = 0; row < events_.size(); ++row) {
    const std::uint64_t who = events_.person(row);
    const auto at =
        std::lower_bound(bots.begin(), bots.end(), who,
                         [](const Bot& bot, std::uint64_t w) { return bot.person < w; });
    if (!kept_[row] || at == bots.end() || at->person != who) continue;
    kept_[row] = 0;
    ++rule.rows;
    std::uint8_t& known = shown[static_cast<std::size_t>(at - bots.begin())];
    if (!known && rule.examples.size() < kExamplesMax) {
      rule.examples.push_back(readable_person(row) + ": " + at->why);
    }
    known = 1;
  }
}

void Cleaner::returns() {
  const ReturnMatch match = match_returns(events_, kept_, quantity_);
  report_.returns_matched = match.matched;
  report_.returns_unmatched = match.unmatched;
  report_.pieces_unmatched = match.pieces_unmatched;
  report_.purchases_reduced = match.reduced;
  report_.purchases_undone = match.undone.size();
  take_if([&](std::size_t row) { return is_return(events_, row); });
  for (const std::uint32_t row : match.undone) take(row);
}

void Cleaner::cart_removals() {
  const ReturnMatch match = match_cart_removals(events_, kept_, quantity_);
  take_if([&](std::size_t row) { return is_cart_removal(events_, row); });
  for (const std::uint32_t row : match.undone) take(row);
}

CleanView Cleaner::view() && {
  CleanView view;
  for (std::size_t row = 0; row < events_.size(); ++row) {
    report_.rows_without_time += events_.time[row] == kNoTime;
    if (!kept_[row]) continue;
    view.rows.push_back(static_cast<std::uint32_t>(row));
    view.quantity.push_back(quantity_[row]);
  }
  report_.rows_in = events_.size();
  report_.rows_kept = view.rows.size();
  view.report = std::move(report_);
  return view;
}

struct Rule {
  const char* name;
  bool CleaningOptions::*enabled;
  void (Cleaner::*apply)();
  std::string meaning;
};

std::vector<Rule> all_rules(const CleaningOptions& o) {
  using C = Cleaner;
  using O = CleaningOptions;
  return {
      {"duplicates", &O::duplicates, &C::duplicates, "repeats of an event with equal content"},
      {"missing_ids", &O::missing_ids, &C::missing_ids,
       "no item (searches and returns of whole orders aside), or neither user nor session"},
      {"impossible_times", &O::impossible_times, &C::impossible_times,
       "before 1995, or more than a day after it was received"},
      {"impossible_prices", &O::impossible_prices, &C::impossible_prices,
       o.drop_free ? "negative or not finite, or a purchase at zero" : "negative or not finite"},
      {"non_products", &O::non_products, &C::non_products, "postage, fees, manual and test lines"},
      {"bots", &O::bots, &C::bots,
       fmt::format(
           "everything of persons who did {} things a minute for {} minutes, or {} in a day; "
           "one order is one thing",
           readable_count(static_cast<std::uint64_t>(o.bot_events_per_minute)), o.bot_minutes,
           readable_count(static_cast<std::uint64_t>(o.bot_events_per_day)))},
      {"returns", &O::returns, &C::returns,
       "returns, and the purchases that they undo: the same person's latest earlier ones of the "
       "item, or all that is left of an order"},
      {"cart_removals", &O::cart_removals, &C::cart_removals,
       "removals from the cart, and what they took out of it"}};
}

}  // namespace

Result<CleanView> clean(const Run& run, const EventTable& events, const Vocabulary& vocabulary,
                        const Catalogue&, const EventTypes& types, const CleaningOptions& options) {
  const std::vector<Rule> rules = all_rules(options);
  Stage stage(run.monitor, "clean", rules.size(), "rules");
  Cleaner cleaner(events, vocabulary, types, options);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    VT_TRY(stage.proceed(i));
    const bool enabled = options.*(rules[i].enabled);
    cleaner.begin_rule(rules[i].name, rules[i].meaning, enabled);
    if (enabled) (cleaner.*(rules[i].apply))();
  }
  return std::move(cleaner).view();
}

Value CleaningReport::to_json() const {
  List list;
  for (const CleaningRule& rule : rules) {
    list.push_back(Table{{"name", rule.name},
                         {"meaning", rule.meaning},
                         {"enabled", rule.enabled},
                         {"rows", rule.rows},
                         {"examples", List(rule.examples.begin(), rule.examples.end())}});
  }
  return Table{{"rows_in", rows_in},
               {"rows_kept", rows_kept},
               {"rows_without_time", rows_without_time},
               {"returns_matched", returns_matched},
               {"returns_unmatched", returns_unmatched},
               {"pieces_unmatched", pieces_unmatched},
               {"purchases_undone", purchases_undone},
               {"purchases_reduced", purchases_reduced},
               {"rules", std::move(list)}};
}

}  // namespace vitrine
