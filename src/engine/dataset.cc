#include "engine/dataset.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "base/json.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kReportEvery = 16'384;  // records between two looks at the monitor

// Folds records into a raw data set.
class Folder {
 public:
  Folder(const EventTypes& types, RawDataset& out) : types_(types), out_(out) {}

  Status fold(const LogRecord& record) {
    out_.sequence = record.sequence;
    switch (record.kind) {
      case RecordKind::kEvent:
        VT_TRY(decode_event(record.payload, types_, event_));
        if (event_.received == kNoTime) event_.received = record.received;
        out_.table.add(event_, record.sequence, out_.vocabulary);
        return {};
      case RecordKind::kItem: {
        VT_TRY(const Item item, decode_item(record.payload));
        out_.catalogue.put(out_.vocabulary.add_item(item.id), item);
        return {};
      }
      case RecordKind::kUser: {
        VT_TRY(const User user, decode_user(record.payload));
        out_.vocabulary.add_user(user.id);
        return {};
      }
      case RecordKind::kEraseItem: {
        const auto item = out_.vocabulary.item(as_text(record.payload));
        if (!item) return {};
        out_.catalogue.resize(out_.vocabulary.items.size());  // events alone make no rows
        out_.catalogue.erase(*item);
        return {};
      }
      case RecordKind::kEraseUser:
        if (out_.vocabulary.users.erase(as_text(record.payload))) erased_ = true;
        return {};
      case RecordKind::kRule:
      case RecordKind::kConsent:
        return {};
      case RecordKind::kMerge:
        break;
    }
    return Error{Code::kCorrupt,
                 "a record of a kind that this version does not know; a newer Vitrine "
                 "wrote it"};
  }

  void finish() {
    out_.catalogue.resize(out_.vocabulary.items.size());
    if (erased_) drop_erased();
  }

 private:
  template <class T>
  static void compact(std::vector<T>& column, const std::vector<std::uint32_t>& kept) {
    for (std::size_t i = 0; i < kept.size(); ++i) column[i] = column[kept[i]];
    column.resize(kept.size());
  }

  // The rows of users who are holes by now.
  void drop_erased() {
    EventTable& table = out_.table;
    std::vector<std::uint32_t> kept;
    kept.reserve(table.size());
    for (std::uint32_t row = 0; row < table.size(); ++row) {
      const UserIndex user = table.user[row];
      if (user == kNoUser || !out_.vocabulary.id(user).empty()) kept.push_back(row);
    }
    compact(table.user, kept);
    compact(table.item, kept);
    compact(table.type, kept);
    compact(table.value, kept);
    compact(table.quantity, kept);
    compact(table.price, kept);
    compact(table.time, kept);
    compact(table.received, kept);
    compact(table.session, kept);
    compact(table.order, kept);
    compact(table.sequence, kept);
    compact(table.content, kept);
  }

  const EventTypes& types_;
  RawDataset& out_;
  Event event_;
  bool erased_ = false;
};

template <class Record>
Result<Record> decode_json(std::span<const std::byte> payload,
                           Result<Record> (*read)(const Value&)) {
  auto json = parse_json(as_text(payload));
  if (!json.ok()) return Error{Code::kCorrupt, json.error().message};
  auto record = read(*json);
  if (!record.ok()) return Error{Code::kCorrupt, record.error().message};
  return record;
}

}  // namespace

Result<Item> decode_item(std::span<const std::byte> payload) {
  return decode_json(payload, item_from_json);
}

Result<User> decode_user(std::span<const std::byte> payload) {
  return decode_json(payload, user_from_json);
}

Result<RawDataset> read_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                                std::uint64_t up_to) {
  RawDataset raw;
  Folder folder(types, raw);
  const std::uint64_t last = std::min(up_to, log.last_sequence());
  const std::uint64_t first = log.first_sequence();
  Stage stage(run.monitor, "reading the event log", last >= first ? last - first + 1 : 0,
              "records");
  VT_TRY(log.read(first, [&](const LogRecord& record) -> Status {
    if (record.sequence > last) return {};
    auto folded = folder.fold(record);
    if (!folded.ok()) {
      return folded.error().prefixed("event log, record " + std::to_string(record.sequence));
    }
    const std::uint64_t done = record.sequence - first + 1;
    return done % kReportEvery == 0 ? stage.proceed(done) : Status();
  }));
  folder.finish();
  return raw;
}

Result<Dataset> build_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                              const Config& config, std::uint64_t up_to) {
  VT_TRY(RawDataset raw, read_dataset(run, log, types, up_to));
  VT_TRY(CleanView view,
         clean(run, raw.table, raw.vocabulary, raw.catalogue, types, config.cleaning));
  VT_TRY(Histories histories,
         build_histories(run, raw.table, view, raw.vocabulary, types, config.histories));
  return Dataset{std::move(raw.vocabulary), std::move(raw.catalogue), std::move(histories),
                 std::move(view.report), raw.sequence};
}

std::uint64_t items_fingerprint(const Vocabulary& vocabulary, std::uint32_t items) {
  std::uint64_t hash = items;
  for (std::uint32_t i = 0; i < items; ++i) {
    const std::string_view id = vocabulary.id(ItemIndex{i});
    hash = XXH3_64bits_withSeed(id.data(), id.size(), hash);
  }
  return hash;
}

}  // namespace vitrine
