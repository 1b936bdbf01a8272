#include "engine/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace vitrine {
namespace {

constexpr double kBasketShareMin = 0.05, kTimedShareMin = 0.9;
constexpr double kShortHistory = 5, kRepeatHigh = 0.2;

std::size_t sort_unique(std::vector<ItemIndex>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items.size();
}

std::string count(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

// Walks the rows once and adds them up.
class Surveyor {
 public:
  explicit Surveyor(const Histories& histories)
      : histories_(histories), seen_(histories.items(), false) {}

  Survey survey() {
    for (std::size_t r = 0; r < histories_.rows(); ++r) add_row(r);
    finish();
    return survey_;
  }

 private:
  void add_row(std::size_t r) {
    const auto row = histories_.row(r);
    if (row.empty()) return;
    ++(histories_.user(r) ? survey_.users : survey_.sessions);
    lengths_.push_back(row.size());
    std::vector<ItemIndex> items;
    for (const HistoryEvent& event : row) {
      items.push_back(event.item);
      if (event.time == kNoTime) continue;
      ++timed_;
      first_ = first_ == kNoTime ? event.time : std::min(first_, event.time);
      last_ = std::max(last_, event.time);
    }
    survey_.events += row.size();
    survey_.cells += sort_unique(items);
    for (const ItemIndex item : items) seen_[raw(item)] = true;
    for (std::size_t begin = 0; begin < row.size();) {
      std::size_t end = begin;
      std::vector<ItemIndex> basket;
      for (; end < row.size() && row[end].group == row[begin].group; ++end) {
        basket.push_back(row[end].item);
      }
      add_basket(sort_unique(basket));
      begin = end;
    }
  }

  void add_basket(std::size_t items) {
    ++groups_;
    if (items < 2) return;
    ++baskets_;
    basket_items_ += items;
  }

  void finish() {
    if (lengths_.empty()) return;
    std::sort(lengths_.begin(), lengths_.end());
    const auto ratio = [](auto a, auto b) {
      return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
    };
    survey_.items = static_cast<std::uint64_t>(std::count(seen_.begin(), seen_.end(), true));
    survey_.repeat_share = ratio(survey_.events - survey_.cells, survey_.events);
    survey_.density = ratio(survey_.cells, (survey_.users + survey_.sessions) * survey_.items);
    survey_.median_length = static_cast<double>(lengths_[lengths_.size() / 2]);
    survey_.long_length = static_cast<double>(lengths_[lengths_.size() * 9 / 10]);
    survey_.timed_share = ratio(timed_, survey_.events);
    if (timed_ > 0) {
      survey_.days =
          (static_cast<double>(last_) - static_cast<double>(first_)) / static_cast<double>(kDay);
    }
    survey_.basket_share = ratio(baskets_, groups_);
    survey_.basket_size = ratio(basket_items_, baskets_);
  }

  const Histories& histories_;
  std::vector<bool> seen_;
  std::vector<std::size_t> lengths_;
  std::uint64_t timed_ = 0, groups_ = 0, baskets_ = 0, basket_items_ = 0;
  Timestamp first_ = kNoTime, last_ = kNoTime;
  Survey survey_;
};

}  // namespace

Survey survey(const Histories& histories) { return Surveyor(histories).survey(); }

bool has_baskets(const Survey& survey) { return survey.basket_share >= kBasketShareMin; }
bool has_times(const Survey& survey) { return survey.timed_share >= kTimedShareMin; }

std::string survey_text(const Survey& s) {
  if (s.events == 0) return "There are no events to learn from; `vitrine import` brings some in.\n";
  std::string text =
      fmt::format("{} customers and {} anonymous sessions with {} events on {} items",
                  count(s.users), count(s.sessions), count(s.events), count(s.items));
  text += s.days >= 1 ? fmt::format(" over {:.0f} days.\n", s.days) : ".\n";
  text += fmt::format(
      "A person has {:.0f} events (median; one in ten more than {:.0f}); {:.2g} % of all "
      "person-item "
      "pairs are known; {:.0f} % of the events repeat an item.\n",
      s.median_length, s.long_length, 100 * s.density, 100 * s.repeat_share);
  text += has_times(s)
              ? "Times are there: held-out data is the latest.\n"
              : "Times are missing: held-out data is each person's last event, in file order.\n";
  text += has_baskets(s)
              ? fmt::format(
                    "Baskets are there ({:.0f} % of the groups hold several items, {:.1f} "
                    "on average): bought-together makes sense.\n",
                    100 * s.basket_share, s.basket_size)
              : "There are hardly any baskets: bought-together has nothing to learn from.\n";
  if (s.median_length < kShortHistory) {
    text +=
        "Histories are short: item-to-item models carry most of the weight, popularity the rest.\n";
  }
  if (s.repeat_share > kRepeatHigh) {
    text += "Many purchases repeat: a placement with repeat = \"always\" is worth having.\n";
  }
  return text;
}

}  // namespace vitrine
