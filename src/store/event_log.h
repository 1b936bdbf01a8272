// The event log: one sequence for everything that changes. The truth; all other state is a fold of
// it.
//
// Invariants
//  1. What append() acknowledged is read back after any crash, once, with the sequence it was
//  given. With durability "interval" a power cut may take the acknowledgements of the last
//  `interval_ms` back, never one without all later ones; the end of the process takes none.
//  2. Sequences start at 1 and rise by one per record, over all kinds. compact() leaves gaps.
//  3. Of records with the same id inside the idempotency window only the first is kept; a later
//     append of it is acknowledged with `repeated` and the sequence of the first.
//  4. A batch that is not whole at the tail of the last segment is cut off at open; damage anywhere
//     else is an error that names segment and offset, and loses nothing.
// Thread safety: all methods, from any thread; concurrent appends share one write and one sync
// (group commit).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/options.h"
#include "data/event.h"
#include "data/item.h"

namespace vitrine {

enum class RecordKind : std::uint8_t {
  kEvent = 1,      // payload: encode_event
  kItem = 2,       // payload: item as JSON, whole
  kUser = 3,       // payload: user as JSON, whole
  kEraseItem = 4,  // payload: the id
  kEraseUser = 5,  // payload: the id
  kRule = 6,       // payload: JSON
  kConsent = 7,    // payload: JSON
  kMerge = 8,      // payload: encode_merge
};

// What is appended. Views are the caller's until append() returns.
struct NewRecord {
  RecordKind kind;
  std::string_view id;  // idempotency key; empty: none
  std::span<const std::byte> payload;
  Timestamp received = kNoTime;
  std::uint32_t key_id = 0;  // whose key encrypts the payload; 0: not encrypted
};

struct LogRecord {
  std::uint64_t sequence;
  RecordKind kind;
  Timestamp received;
  std::uint32_t key_id;
  std::span<const std::byte> payload;  // valid during the callback
};

struct Appended {
  std::uint64_t last_sequence = 0;  // of the batch; what an acknowledgement returns
  std::uint64_t accepted = 0, repeated = 0;
  std::vector<bool> is_repeated;  // per record of the batch
};

// What a record of an item, user, rule or consent is about, or its erasure: the same for all
// records of which the latest counts. Empty: it is kept for ever.
using KeyOf = std::function<std::string(const LogRecord&)>;

class EventLog {
 public:
  virtual ~EventLog() = default;
  // Returns when the batch is durable, or with durability "interval" when the operating system has
  // it: all of it or none. kExhausted when the disk is full: nothing of the batch is there then,
  // and the log goes on working when there is room again. After a sync failed, kIo until the log is
  // opened again; what was not durable is gone.
  virtual Result<Appended> append(std::span<const NewRecord> records) = 0;
  // The same without waiting for the disk: durable after the next sync() or append(). For bulk
  // imports, which acknowledge once per sync.
  virtual Result<Appended> append_unsynced(std::span<const NewRecord> records) = 0;
  virtual Status sync() = 0;  // what was appended before is durable, whatever the durability
  // All durable records from `from` on, in order, until the end or an error from `visit`. Appends
  // and trims go on beside it.
  virtual Status read(std::uint64_t from,
                      const std::function<Status(const LogRecord&)>& visit) const = 0;
  // Drops whole segments that lie before `before`.
  virtual Status trim(std::uint64_t before) = 0;
  // Of whole segments that lie before `before` drops the events and merges that were received
  // before `received_before` (not those of unknown time, nor merges that lie behind an event that
  // is kept), and the other records that a later one
  // there with the same key makes obsolete: the latest erasure of a key is kept, and the latest
  // other record unless it was erased after. Appends and reads go on beside it. Reads everything
  // before `before`, on the caller's thread; only the files that change are written. The newest
  // segment is closed by the next append if it begins before `before`, so that its turn comes too.
  // After an error
  // or a crash each segment is as before or compacted, and the log is whole.
  virtual Status compact(std::uint64_t before, Timestamp received_before, const KeyOf& key_of) = 0;
  virtual std::uint64_t first_sequence() const = 0;  // no kept record is older; 1 when empty
  // Of the last durable record; 0 when empty. With durability "interval" acknowledgements run ahead
  // of it, and of read(): whoever keeps what follows from them calls sync() first.
  virtual std::uint64_t last_sequence() const = 0;
};

struct EventLogOptions {
  std::int64_t segment_bytes = 256 << 20;
  std::int64_t window = 20'000'000;  // ids that idempotency remembers, the latest
  std::string durability = "sync";
  int interval_ms = 100;
  int keep_days = 0;
  static constexpr auto fields() {
    using O = EventLogOptions;
    return std::tuple{Field{"segment_bytes", &O::segment_bytes, std::int64_t{4096},
                            std::int64_t{1} << 40, "a log file is closed at this size"},
                      Field{"window", &O::window, std::int64_t{0}, std::int64_t{1} << 40,
                            "how many of the latest event ids are remembered to recognise repeats "
                            "(about 30 bytes each)"},
                      Field{"durability", &O::durability, "sync|interval",
                            "an event is acknowledged when it is on the disk (sync), or already "
                            "when the operating system has it (interval)"},
                      Field{"interval_ms", &O::interval_ms, 1, 60'000,
                            "with durability = \"interval\": acknowledged events that a power cut "
                            "may take, as a time"},
                      Field{"keep_days", &O::keep_days, 0, 36'500,
                            "while serving, events received longer ago leave the log once a day, "
                            "and so what is learned; 0: the log keeps everything"}};
  }
};

// The embedded log: a folder of segment files, locked against a second process. docs/formats.md.
// The window counts records: an id is recognised while its record is among the `window` latest
// ones.
Result<std::unique_ptr<EventLog>> open_file_log(FileSystem& files, const std::string& folder,
                                                const EventLogOptions& options);

// The same to read only, beside the process that writes: the records that lie there now. The newest
// ones may not be durable yet, so a reader that leaves traces stops at a sequence that the writer
// has acknowledged.
Result<std::unique_ptr<const EventLog>> open_file_log_to_read(FileSystem& files,
                                                              const std::string& folder);

// Events as compact bytes. decode never reads beyond the bytes and rejects what encode could not
// have made.
void encode_event(const Event& event, const EventTypes& types, std::string& out);
Status decode_event(std::span<const std::byte> bytes, const EventTypes& types, Event& out);

}  // namespace vitrine
