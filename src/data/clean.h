// Cleaning is a view over the raw events: rules mark rows, nothing is changed or lost, and a rule
// can be switched off at any time. The report names every rule, counts it, and shows its first
// three examples. The rules act in the order of the report, each on what those before it left; a
// row counts once.
//
// A person is a known user or one anonymous session. Bots: the events of one order count as one
// action, so that a wholesaler's order of 500 lines is one; impressions count as none. Returns: a
// return (or a purchase of negative quantity; the sign is ignored) takes its pieces from the same
// person's latest earlier purchases of the item, latest first; an absent quantity is one piece; a
// return without item takes all that is left of the order it names. remove_from_cart does the same
// to carts.
// "Earlier" is by time, then by log order; events without time count as earlier than the others, in
// log order.
#pragma once

#include <string>
#include <vector>

#include "base/options.h"
#include "base/run.h"
#include "data/catalogue.h"
#include "data/event_table.h"

namespace vitrine {

struct CleaningOptions {
  bool duplicates = true;         // equal content, everything but the event id and `received`
  bool missing_ids = true;        // no item, or neither user nor session
  bool impossible_times = true;   // before 1995, or more than a day after it was received
  bool impossible_prices = true;  // negative or not finite; for a purchase zero too with drop_free
  bool drop_free = false;
  bool returns = true;        // nets returns out of the same customer's latest earlier purchase
  bool cart_removals = true;  // nets remove_from_cart out of the person's latest carts of the item
  bool bots = true;
  bool non_products = true;
  int bot_events_per_minute = 120;  // actions of one person, sustained over bot_minutes
  int bot_minutes = 5;
  int bot_events_per_day = 5000;
  std::vector<std::string> non_product_ids;       // exact outside ids
  std::vector<std::string> non_product_patterns;  // globs over outside ids: "gift_*"
  static constexpr auto fields() {
    using O = CleaningOptions;
    return std::tuple{
        Field{"duplicates", &O::duplicates, "drop repeats of an event with equal content"},
        Field{"missing_ids", &O::missing_ids,
              "drop events without an item or without user and session"},
        Field{"impossible_times", &O::impossible_times,
              "drop events before 1995 or from the future"},
        Field{"impossible_prices", &O::impossible_prices,
              "drop events whose price is negative or not finite"},
        Field{"drop_free", &O::drop_free, "drop purchases at price zero too"},
        Field{"returns", &O::returns,
              "net returns and cancellations out of the purchases they undo"},
        Field{"cart_removals", &O::cart_removals,
              "take what was removed from a cart out of it again"},
        Field{"bots", &O::bots, "drop persons who act at rates that no human reaches"},
        Field{"non_products", &O::non_products, "drop postage, fees, manual and test lines"},
        Field{"bot_events_per_minute", &O::bot_events_per_minute, 1, 1'000'000,
              "actions in a minute that mark a bot, bot_minutes in a row"},
        Field{"bot_minutes", &O::bot_minutes, 1, 1440, "how many such minutes in a row"},
        Field{"bot_events_per_day", &O::bot_events_per_day, 1, 100'000'000,
              "actions in a day that mark a bot"},
        Field{"non_product_ids", &O::non_product_ids, "item ids that are no products"},
        Field{"non_product_patterns", &O::non_product_patterns,
              "patterns (* and ?) of item ids that are no products"}};
  }
};

struct CleaningRule {
  std::string name;     // the switch in CleaningOptions
  std::string meaning;  // one line for people; says so when the rule is switched off
  bool enabled = true;
  std::uint64_t rows = 0;
  std::vector<std::string> examples;  // the first three, readable
};

struct CleaningReport {
  std::uint64_t rows_in = 0, rows_kept = 0;
  std::uint64_t returns_matched = 0;    // returns whose every piece found its purchase
  std::uint64_t returns_unmatched = 0;  // the others, and the pieces that they had left
  double pieces_unmatched = 0;
  std::uint64_t purchases_undone = 0;   // nothing is left of them: their rows are gone
  std::uint64_t purchases_reduced = 0;  // something is
  std::uint64_t rows_without_time = 0;  // of rows_in; these keep file order
  std::vector<CleaningRule> rules;
  Value to_json() const;
};

// The rows that survive, in log order, with the quantity that is left after returns.
struct CleanView {
  std::vector<std::uint32_t> rows;
  std::vector<float> quantity;  // parallel to rows; NaN: absent
  CleaningReport report;
};

// Deterministic. Time about linear in the rows. The only error is kCancelled.
Result<CleanView> clean(const Run& run, const EventTable& events, const Vocabulary& vocabulary,
                        const Catalogue& catalogue, const EventTypes& types,
                        const CleaningOptions& options);

}  // namespace vitrine
