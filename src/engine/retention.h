// What the event log keeps: `log.keep_days`, and of each item, user, rule and consent the latest.
#pragma once

#include <cstdint>
#include <string>

#include "store/event_log.h"

namespace vitrine {

// What a record that does not age is about, as EventLog::compact asks; empty where it cannot be
// read: such a record is kept for ever.
std::string record_key(const LogRecord& record);

// Drops from the log what was received more than `keep_days` whole days (UTC) before `now`, and
// what later records replaced, up to `covered_sequence`: that of a synced checkpoint, 0: nothing
// may go. Where the clock runs ahead of the log, the record at `covered_sequence` says what time it
// is. Reads the log up to there twice; without `keep_days` it does nothing.
Status retain(EventLog& log, const EventLogOptions& options, std::uint64_t covered_sequence,
              Timestamp now);

// The same once a day. Not thread-safe.
class Retention {
 public:
  Status look(EventLog& log, const EventLogOptions& options, std::uint64_t covered_sequence,
              Timestamp now);

 private:
  Timestamp day_ = kNoTime;  // when it last was tried
};

}  // namespace vitrine
