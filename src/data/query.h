// What is asked of a model, and what it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/event.h"
#include "data/ids.h"

namespace vitrine {

class Profile;  // feature/

// One event of a person, in time order. `group` joins the events of one basket or session: equal
// neighbouring groups belong together. `value` is the rating or the quantity; `weight` is what the
// configuration gives to the type.
struct HistoryEvent {
  ItemIndex item;
  EventType type = EventType::kView;
  float value = 1;
  float weight = 1;
  Timestamp time = kNoTime;
  std::uint32_t group = 0;
};

// Where and for what a list is asked for.
struct Context {
  std::string placement;          // "home", "item", "cart", ...
  std::optional<ItemIndex> item;  // the item that is being looked at
  std::vector<ItemIndex> cart;
  std::vector<std::pair<std::string, std::string>> attributes;  // device, country, ...
};

// What is known of a visitor when a list is asked for. Someone who came after training, or one
// second ago, is served like anyone else: a model answers for a history. Owns nothing.
struct Query {
  std::span<const HistoryEvent> history = {};
  std::optional<UserIndex> user = {};
  const Profile* profile = nullptr;
  const Context* context = nullptr;
  Timestamp now = kNoTime;
};

struct Candidate {
  ItemIndex item = kNoItem;
  float score = 0;
  bool operator==(const Candidate&) const = default;
};

// The order of every list: better score first, then the lower index. NaN never enters a list.
inline bool better(const Candidate& a, const Candidate& b) {
  return a.score > b.score || (a.score == b.score && a.item < b.item);
}

// Up to n candidates for each of several queries, best first.
class CandidateBlock {
 public:
  void reset(std::size_t queries, std::size_t n) {
    n_ = n;
    counts_.assign(queries, 0);
    candidates_.resize(queries * n);
  }
  std::size_t queries() const { return counts_.size(); }
  std::size_t n() const { return n_; }
  std::span<const Candidate> row(std::size_t q) const {
    return {candidates_.data() + q * n_, counts_[q]};
  }
  std::span<Candidate> room(std::size_t q) { return {candidates_.data() + q * n_, n_}; }
  void set_count(std::size_t q, std::size_t count) {
    counts_[q] = static_cast<std::uint32_t>(count);
  }

 private:
  std::size_t n_ = 0;
  std::vector<std::uint32_t> counts_;
  std::vector<Candidate> candidates_;
};

}  // namespace vitrine
