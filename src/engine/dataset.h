// What the event log says at one sequence number, ready to be learned from. One fold of the log
// serves training, evaluation and cleaning; the live engine folds the same way, so indexes agree
// between them.
//
// The fold: an event adds its user and its item to the vocabulary, an item or user record its id.
// Erasing an item empties its row and keeps its index; erasing a user leaves a hole, the events up
// to there are not seen, and the same id appearing later is somebody new. Merging gives a session's
// or a user's events up to there to another user; so does, unless [live] merge_sessions is off, the
// first event of a session that names its user. What happened up to a day after it was heard of
// happened when it was. A log that has lost old records is folded from the
// vocabulary that was kept of them, and means what it meant when they were there.
#pragma once

#include <cstdint>
#include <limits>

#include "base/run.h"
#include "data/clean.h"
#include "data/histories.h"
#include "engine/config.h"
#include "engine/known_ids.h"
#include "store/event_log.h"

namespace vitrine {

inline constexpr std::uint64_t kWholeLog = std::numeric_limits<std::uint64_t>::max();

// The raw side of it, before cleaning.
struct RawDataset {
  Vocabulary vocabulary;
  Catalogue catalogue;  // as many rows as the vocabulary has items
  EventTable table;
  std::uint64_t sequence = 0;  // of the last record that was folded
};

struct Dataset {
  Vocabulary vocabulary;
  Catalogue catalogue;
  Histories histories;
  CleaningReport cleaning;
  std::uint64_t sequence = 0;
  bool events_dropped = false;  // the log does not keep old ones
};

// Reads the records with sequences up to `up_to`, which is not below what is `known`. kCorrupt,
// naming the sequence, for a record that is not what we wrote, or is missing.
Result<RawDataset> read_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                                std::uint64_t up_to = kWholeLog, const LiveOptions& live = {},
                                KnownIds known = {});

// Reads, cleans, and builds the histories; the table is gone when it returns.
Result<Dataset> build_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                              const Config& config, std::uint64_t up_to = kWholeLog,
                              KnownIds known = {});

// When an event was heard of: as it says itself, but not later than the record that holds it was.
Timestamp received_of(const Event& event, Timestamp record);

// The payloads of item and user records.
Result<Item> decode_item(std::span<const std::byte> payload);
Result<User> decode_user(std::span<const std::byte> payload);

// A number that tells two vocabularies' first `items` item ids apart: a snapshot records it, so
// that it is not served over the log of another shop.
std::uint64_t items_fingerprint(const Vocabulary& vocabulary, std::uint32_t items);

}  // namespace vitrine
