// Histories as tokens: what a sequence network reads. One token for each event whose item the model
// knows, the latest `length` of a history, one history after the other without padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/query.h"
#include "model/known_items.h"

namespace vitrine {

struct SequenceTokens {
  std::vector<std::uint32_t> offsets{0};  // histories + 1
  std::vector<std::uint32_t> items;       // rows of the item embedding
  std::vector<std::uint32_t> types;       // of events
  std::vector<std::uint32_t> positions;   // from the end of the history: 0 is the latest
  std::vector<float> values;              // ln(1 + |value|), with the sign of the value
  std::vector<std::int64_t> seconds;      // an event without time has that of the one before it
  std::vector<std::uint32_t> last;        // by history: its last token

  void clear();
  std::size_t histories() const { return offsets.size() - 1; }
  // Tokens of the history that end() will close. `item` is a row of the embedding.
  void add(const HistoryEvent& event, std::uint32_t item);
  // Closes a history; one without tokens leaves nothing. Whether there was any.
  bool end();
};

// Tokens of the latest `length` events of known items with a weight above 0, without closing the
// history; the place of the latest of them, history.size() where there is none.
std::size_t add_events(SequenceTokens& tokens, std::span<const HistoryEvent> history,
                       const KnownItems& known, int length);

}  // namespace vitrine
