#include "engine/retention.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/json.h"
#include "engine/known_ids.h"
#include "engine/limits.h"

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

// The days on which something was received, with the first record of each.
using Days = std::map<Timestamp, std::uint64_t>;

Result<Days> days_received(const EventLog& log, std::uint64_t up_to) {
  constexpr Code kEnough = Code::kCancelled;
  Days days;
  const Status read = log.read(log.first_sequence(), [&](const LogRecord& record) -> Status {
    if (record.sequence > up_to) return Error{kEnough, {}};
    if (record.received != kNoTime) days.emplace(day_of(record.received), record.sequence);
    return {};
  });
  if (!read.ok() && read.error().code != kEnough) return read.error();
  return days;
}

std::optional<Timestamp> today(const Days& days, Timestamp now) {
  const Timestamp span = kRetentionSpanDays * kDay;
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    if (day->first > now) continue;
    const auto begin = days.upper_bound(day->first - span);
    const auto end = days.upper_bound(day->first);
    if (std::distance(begin, end) >= kRetentionDays) return day->first;
  }
  return std::nullopt;
}

// The first record of the day that makes `wanted` of them from `first` to `last`.
std::optional<std::uint64_t> cut_at(const Days& days, Timestamp first, Timestamp last,
                                    std::size_t wanted) {
  std::vector<std::uint64_t> begun;
  for (auto day = days.lower_bound(first); day != days.end() && day->first <= last; ++day)
    begun.push_back(day->second);
  std::sort(begun.begin(), begun.end());
  return begun.size() < wanted ? std::nullopt : std::optional(begun[wanted - 1]);
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

Status retain(EventLog& log, const EventLogOptions& options, const CheckpointPlace& checkpoint,
              std::uint64_t covered, const std::string& vocabulary, Timestamp now) {
  if (options.keep_days == 0 || covered == 0) return {};
  VT_TRY(const KnownIds known, checkpointed_ids(checkpoint));
  if (known.sequence < covered) return {};  // it was put there by somebody else
  VT_TRY(const Days days, days_received(log, known.sequence));
  const auto newest = today(days, now);
  if (!newest) return {};
  const Timestamp oldest = *newest - options.keep_days * kDay;
  const auto wanted = static_cast<std::size_t>(std::min(kRetentionDays, options.keep_days + 1));
  const auto cut = cut_at(days, oldest, *newest, wanted);
  if (!cut) return {};
  VT_TRY(save_known_ids(*checkpoint.files, vocabulary, known));
  return log.compact(*cut, oldest, record_key);
}

Status Retention::look(EventLog& log, const EventLogOptions& options,
                       const CheckpointPlace& checkpoint, std::uint64_t covered,
                       const std::string& vocabulary, Timestamp now) {
  if (options.keep_days == 0 || covered == 0 || day_of(now) == day_) return {};
  day_ = day_of(now);
  return retain(log, options, checkpoint, covered, vocabulary, now);
}

}  // namespace vitrine
