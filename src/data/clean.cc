#include "data/clean.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

#include "data/glob.h"
#include "data/item.h"
#include "data/readable.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kNone = EventTable::kNone;
constexpr std::uint64_t kNobody = ~std::uint64_t{0};
constexpr std::size_t kExamplesMax = 3;
constexpr Timestamp kFirstTime = 788'918'400'000;  // 1995-01-01: nobody sold on the Web before
constexpr Timestamp kMinute = 60 * kSecond;

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

  void begin_rule(std::string name, std::string meaning, bool enabled);
  CleanView view() &&;

 private:
  struct Line;  // a purchase or a return, where returns are matched

  void take(std::size_t row);
  void take_if(const auto& condition);
  void example(std::string text);
  std::string readable(std::size_t row) const;
  std::string readable_person(std::size_t row) const;
  std::uint64_t person(std::size_t row) const;
  bool is_return(std::size_t row) const;
  std::string bot_reason(std::span<const Timestamp> times) const;
  std::vector<std::pair<std::uint64_t, Timestamp>> frequent_actions() const;
  void match_returns(const std::vector<Line>& lines);

  const EventTable& events_;
  const Vocabulary& vocabulary_;
  const EventTypes& types_;
  const CleaningOptions& options_;
  std::vector<std::uint8_t> kept_;
  std::vector<float> quantity_;
  CleaningReport report_;
};

struct Cleaner::Line {
  std::uint64_t person;
  ItemIndex item;
  Timestamp time;
  std::uint32_t row;
  auto key() const { return std::tuple(person, item, time, row); }
};

void Cleaner::begin_rule(std::string name, std::string meaning, bool enabled) {
  if (!enabled) meaning += " (switched off)";
  report_.rules.push_back({std::move(name), std::move(meaning), enabled, 0, {}});
}

void Cleaner::example(std::string text) {
  report_.rules.back().examples.push_back(std::move(text));
}

void Cleaner::take(std::size_t row) {
  kept_[row] = 0;
  CleaningRule& rule = report_.rules.back();
  ++rule.rows;
  if (rule.examples.size() < kExamplesMax) example(readable(row));
}

void Cleaner::take_if(const auto& condition) {
  for (std::size_t row = 0; row < events_.size(); ++row) {
    if (kept_[row] && condition(row)) take(row);
  }
}

std::uint64_t Cleaner::person(std::size_t row) const {
  if (events_.user[row] != kNoUser) return raw(events_.user[row]);
  if (events_.session[row] != kNone) return (std::uint64_t{1} << 32) + events_.session[row];
  return kNobody;
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
    const bool needs_item = events_.type[row] != EventType::kSearch;
    return (needs_item && events_.item[row] == kNoItem) || person(row) == kNobody;
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
    return price < 0 || !std::isfinite(price) || free;
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

// The times at which persons acted, for those with enough actions to be a bot at all, by person.
std::vector<std::pair<std::uint64_t, Timestamp>> Cleaner::frequent_actions() const {
  std::vector<std::uint64_t> order_person(events_.orders.size(), kNobody);
  std::vector<std::uint32_t> users(vocabulary_.users.size()), sessions(events_.sessions.size());
  std::vector<std::uint32_t> acting;
  const auto count = [&](std::size_t row) -> std::uint32_t& {
    return events_.user[row] != kNoUser ? users[raw(events_.user[row])]
                                        : sessions[events_.session[row]];
  };
  for (std::size_t row = 0; row < events_.size(); ++row) {
    const std::uint64_t who = person(row);
    const bool acts = kept_[row] && who != kNobody && events_.time[row] != kNoTime &&
                      events_.type[row] != EventType::kImpression;
    if (!acts) continue;
    if (const std::uint32_t order = events_.order[row]; order != kNone) {
      if (order_person[order] == who) continue;
      order_person[order] = who;
    }
    acting.push_back(static_cast<std::uint32_t>(row));
    ++count(row);
  }
  const auto enough = static_cast<std::uint64_t>(
      std::min(std::int64_t{options_.bot_events_per_minute} * options_.bot_minutes,
               std::int64_t{options_.bot_events_per_day}));
  std::vector<std::pair<std::uint64_t, Timestamp>> actions;
  for (const std::uint32_t row : acting) {
    if (count(row) >= enough) actions.emplace_back(person(row), events_.time[row]);
  }
  std::sort(actions.begin(), actions.end());
  return actions;
}

Timestamp floor_div(Timestamp time, Timestamp unit) {
  return time / unit - (time % unit < 0 ? 1 : 0);
}

// Why somebody who acted at these times (ascending) is a bot; empty if not.
std::string Cleaner::bot_reason(std::span<const Timestamp> times) const {
  const auto run_end = [&](std::size_t from, Timestamp unit) {
    const Timestamp which = floor_div(times[from], unit);
    std::size_t end = from;
    while (end < times.size() && floor_div(times[end], unit) == which) ++end;
    return end;
  };
  for (std::size_t from = 0, end; from < times.size(); from = end) {
    end = run_end(from, kDay);
    if (end - from < static_cast<std::size_t>(options_.bot_events_per_day)) continue;
    return fmt::format("{} within the day of {}", readable_count(end - from, "action"),
                       format_time(times[from]));
  }
  int busy = 0;
  Timestamp before = kNoTime;  // the last busy minute
  for (std::size_t from = 0, end; from < times.size(); from = end) {
    end = run_end(from, kMinute);
    if (end - from < static_cast<std::size_t>(options_.bot_events_per_minute)) continue;
    const Timestamp minute = floor_div(times[from], kMinute);
    busy = minute - 1 == before ? busy + 1 : 1;
    before = minute;
    if (busy < options_.bot_minutes) continue;
    return fmt::format("{} or more actions in each of {} up to {}", options_.bot_events_per_minute,
                       readable_count(static_cast<std::uint64_t>(busy), "minute"),
                       format_time(times[from]));
  }
  return {};
}

void Cleaner::bots() {
  const auto actions = frequent_actions();
  std::vector<std::pair<std::uint64_t, std::string>> bots;  // by person, ascending
  std::vector<Timestamp> times;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    times.push_back(actions[i].second);
    if (i + 1 < actions.size() && actions[i + 1].first == actions[i].first) continue;
    if (std::string reason = bot_reason(times); !reason.empty()) {
      bots.emplace_back(actions[i].first, std::move(reason));
    }
    times.clear();
  }
  if (bots.empty()) return;
  std::vector<std::uint8_t> shown(bots.size());
  for (std::size_t row = 0; row < events_.size(); ++row) {
    const auto at =
        std::lower_bound(bots.begin(), bots.end(), person(row),
                         [](const auto& bot, std::uint64_t who) { return bot.first < who; });
    if (!kept_[row] || at == bots.end() || at->first != person(row)) continue;
    kept_[row] = 0;
    CleaningRule& rule = report_.rules.back();
    ++rule.rows;
    const auto which = static_cast<std::size_t>(at - bots.begin());
    if (shown[which] || rule.examples.size() == kExamplesMax) continue;
    shown[which] = 1;
    example(readable_person(row) + ": " + at->second);
  }
}

bool Cleaner::is_return(std::size_t row) const {
  return events_.type[row] == EventType::kReturn ||
         (events_.type[row] == EventType::kPurchase && events_.quantity[row] < 0);
}

void Cleaner::returns() {
  std::vector<Line> lines;
  for (std::size_t row = 0; row < events_.size(); ++row) {
    if (!kept_[row] || (!is_return(row) && events_.type[row] != EventType::kPurchase)) continue;
    const std::uint64_t who = person(row);
    const bool matchable = who != kNobody && events_.item[row] != kNoItem;
    lines.push_back({matchable ? who : kNobody, events_.item[row], events_.time[row],
                     static_cast<std::uint32_t>(row)});
  }
  take_if([&](std::size_t row) { return is_return(row); });
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return a.key() < b.key(); });
  match_returns(lines);
  report_.purchases_undone = 0;
  for (std::size_t row = 0; row < events_.size(); ++row) {
    if (!kept_[row] || events_.type[row] != EventType::kPurchase) continue;
    const float before = std::isnan(events_.quantity[row]) ? 1 : events_.quantity[row];
    const float left = std::isnan(quantity_[row]) ? 1 : quantity_[row];
    if (left == before) continue;
    ++(left > 0 ? report_.purchases_reduced : report_.purchases_undone);
    if (left <= 0) take(row);
  }
}

// Lines of one person and item follow each other in the order in which they happened.
void Cleaner::match_returns(const std::vector<Line>& lines) {
  std::vector<std::uint32_t> open;  // purchases with pieces left, latest last
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    const bool same = i > 0 && lines[i - 1].person == line.person && lines[i - 1].item == line.item;
    if (!same || line.person == kNobody) open.clear();
    float& quantity = quantity_[line.row];
    if (!is_return(line.row)) {
      if (!(quantity <= 0)) open.push_back(line.row);
      continue;
    }
    float left = std::isnan(quantity) ? 1 : std::abs(quantity);
    while (left > 0 && !open.empty()) {
      float& bought = quantity_[open.back()];
      if (std::isnan(bought)) bought = 1;
      const float taken = std::min(left, bought);
      left -= taken;
      bought -= taken;
      if (bought <= 0) open.pop_back();
    }
    ++(left > 0 ? report_.returns_unmatched : report_.returns_matched);
    report_.pieces_unmatched += left;
  }
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
       "no item (searches aside), or neither user nor session"},
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
       "item"}};
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
