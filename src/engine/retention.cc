#include "engine/retention.h"

#include <algorithm>

#include "base/json.h"

namespace vitrine {
namespace {

Timestamp day_of(Timestamp time) {
  const Timestamp into = time % kDay;
  return time - (into < 0 ? into + kDay : into);
}

// Empty unless the field holds a text.
std::string text_of(const Table& record, std::string_view field) {
  const Value* value = record.find(field);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? std::string() : *text;
}

std::string key_of_json(const LogRecord& record) {
  const auto parsed = parse_json(as_text(record.payload));
  const Table* fields = parsed.ok() ? parsed->as_table() : nullptr;
  if (fields == nullptr) return {};
  if (record.kind == RecordKind::kConsent) {
    const std::string user = text_of(*fields, "user");
    return user.empty() ? user : user + '\0' + text_of(*fields, "purpose");
  }
  return text_of(*fields, "id");
}

// When the record at `sequence` was received, or the next one that is kept.
Result<Timestamp> received_at(const EventLog& log, std::uint64_t sequence) {
  constexpr Code kSeen = Code::kCancelled;
  Timestamp received = kNoTime;
  const Status read = log.read(sequence, [&](const LogRecord& record) -> Status {
    received = record.received;
    return Error{kSeen, {}};
  });
  if (!read.ok() && read.error().code != kSeen) return read.error();
  return received;
}

}  // namespace

std::string record_key(const LogRecord& record) {
  const auto keyed = [](char kind, std::string id) {
    return id.empty() ? id : std::string(1, kind) + id;
  };
  switch (record.kind) {
    case RecordKind::kItem:
      return keyed('i', key_of_json(record));
    case RecordKind::kEraseItem:
      return keyed('i', std::string(as_text(record.payload)));
    case RecordKind::kUser:
      return keyed('u', key_of_json(record));
    case RecordKind::kEraseUser:
      return keyed('u', std::string(as_text(record.payload)));
    case RecordKind::kRule:
      return keyed('r', key_of_json(record));
    case RecordKind::kConsent:
      return keyed('c', key_of_json(record));
    default:
      return {};
  }
}

Status retain(EventLog& log, const EventLogOptions& options, std::uint64_t covered_sequence,
              Timestamp now) {
  const std::uint64_t covered = std::min(covered_sequence, log.last_sequence());
  if (options.keep_days == 0 || covered == 0) return {};
  VT_TRY(const Timestamp received, received_at(log, covered));
  if (received != kNoTime) now = std::min(now, received);
  const Timestamp kept = options.keep_days * kDay;
  if (now < kNoTime + kept + kDay) return {};
  return log.compact(covered + 1, day_of(now - kept), record_key);
}

Status Retention::look(EventLog& log, const EventLogOptions& options,
                       std::uint64_t covered_sequence, Timestamp now) {
  if (options.keep_days == 0 || covered_sequence == 0 || day_of(now) == day_) return {};
  day_ = day_of(now);
  return retain(log, options, covered_sequence, now);
}

}  // namespace vitrine
