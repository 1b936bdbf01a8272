#include "model/sequence_tokens.h"

#include <algorithm>
#include <cmath>

namespace vitrine {

void SequenceTokens::clear() {
  offsets.assign(1, 0);
  items.clear();
  types.clear();
  positions.clear();
  values.clear();
  seconds.clear();
  last.clear();
}

void SequenceTokens::add(const HistoryEvent& event, std::uint32_t item) {
  const bool first = items.size() == offsets.back();
  items.push_back(item);
  types.push_back(static_cast<std::uint32_t>(event.type));
  values.push_back(std::copysign(std::log1p(std::abs(event.value)), event.value));
  const std::int64_t before = first ? 0 : seconds.back();
  seconds.push_back(event.time == kNoTime ? before : event.time / kSecond);
}

bool SequenceTokens::end() {
  const auto size = static_cast<std::uint32_t>(items.size());
  if (size == offsets.back()) return false;
  for (std::uint32_t t = offsets.back(); t < size; ++t) positions.push_back(size - 1 - t);
  offsets.push_back(size);
  last.push_back(size - 1);
  return true;
}

std::size_t add_events(SequenceTokens& tokens, std::span<const HistoryEvent> history,
                       const KnownItems& known, int length) {
  const auto counts = [&](const HistoryEvent& e) { return known.has(e.item) && e.weight > 0; };
  std::size_t from = history.size();
  for (int left = length; from > 0 && left > 0; --from) left -= counts(history[from - 1]);
  std::size_t latest = history.size();
  for (std::size_t e = from; e < history.size(); ++e) {
    if (!counts(history[e])) continue;
    tokens.add(history[e], raw(history[e].item));
    latest = e;
  }
  return latest;
}

}  // namespace vitrine
