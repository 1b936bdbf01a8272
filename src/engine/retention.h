// What the event log keeps: `log.keep_days` of events, and of each item, user, rule and consent the
// latest.
#pragma once

#include <string>

#include "engine/live_checkpoint.h"
#include "store/event_log.h"

namespace vitrine {

// What a record that does not age is about, as EventLog::compact asks; empty where it cannot be
// read: such a record is kept for ever.
std::string record_key(const LogRecord& record);

// Drops from the log the events received more than `keep_days` whole days (UTC) ago, and what later
// records replaced, as far as the checkpoint goes, which is that of this log up to `covered` (0:
// there is none); the ids that they brought are written to `vocabulary` first. Without `keep_days`
// or without a checkpoint it does nothing.
//
// Clocks jump, and what a log lost does not come back. So it is the newest day, not after `now`, on
// and shortly before which the log received something on kRetentionDays days; and an event counts
// as old only if it lies before records of as many days that are not (of two with keep_days = 1).
//
// Reads the log up to the checkpoint three times.
Status retain(EventLog& log, const EventLogOptions& options, const CheckpointPlace& checkpoint,
              std::uint64_t covered, const std::string& vocabulary, Timestamp now);

// The same once a day. Not thread-safe.
class Retention {
 public:
  Status look(EventLog& log, const EventLogOptions& options, const CheckpointPlace& checkpoint,
              std::uint64_t covered, const std::string& vocabulary, Timestamp now);

 private:
  Timestamp day_ = kNoTime;  // when it last was tried
};

}  // namespace vitrine
