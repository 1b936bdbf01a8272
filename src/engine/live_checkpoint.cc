#include "engine/live_checkpoint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>
#include <utility>

#include "base/archive.h"
#include "base/json.h"
#include "engine/dataset.h"
#include "engine/diag.h"
#include "engine/live.h"

namespace vitrine {
namespace {

constexpr std::string_view kKind = "live";
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kRecordsInPiece = 1 << 14;

std::string piece(std::string_view name, std::size_t i) {
  return std::string(name) + "/" + std::to_string(i);
}

// Everything that decides what a record does to the state.
std::string settings_of(const Config& config, const EventTypes& types) {
  Table table = *config_to_table(config).find("histories")->as_table();
  const Table cleaning = *config_to_table(config).find("cleaning")->as_table();
  for (const std::string_view name : {"non_products", "non_product_ids", "non_product_patterns"}) {
    if (const Value* value = cleaning.find(name)) table.set(std::string(name), *value);
  }
  List names;
  for (std::size_t i = 0; i < types.size(); ++i)
    names.emplace_back(std::string(types.name(static_cast<EventType>(i))));
  table.set("types", std::move(names));
  table.set("region", config.live.region);
  table.set("merge_sessions", config.live.merge_sessions);
  table.set("history", static_cast<std::int64_t>(kHistoryMax));
  return to_json(table);
}

// What tells the record at `sequence` from that of another log; 0 when the log has none.
Result<std::uint64_t> record_hash(const EventLog& log, std::uint64_t sequence) {
  std::uint64_t hash = 0;
  if (sequence == 0) return hash;
  const Error enough{Code::kCancelled, "enough"};
  const Status read = log.read(sequence, [&](const LogRecord& record) -> Status {
    if (record.sequence == sequence) {
      const auto kind = static_cast<std::uint64_t>(record.kind);
      hash = XXH3_64bits_withSeed(record.payload.data(), record.payload.size(),
                                  static_cast<std::uint64_t>(record.received) * 31 + kind) |
             1;
    }
    return enough;
  });
  if (!read.ok() && read.error().code != enough.code) return read.error();
  return hash;
}

void save_catalogue(ArchiveWriter& writer, const CatalogueVersion& catalogue) {
  writer.enter("catalogue");
  std::vector<std::string> rows;
  std::vector<std::uint32_t> indexes;
  std::vector<std::uint8_t> available(catalogue.size());
  std::size_t pieces = 0;
  const auto flush = [&] {
    writer.strings(piece("items", pieces), rows);
    writer.tensor(piece("indexes", pieces++), indexes);
    rows.clear();
    indexes.clear();
  };
  for (std::uint32_t i = 0; i < catalogue.size(); ++i) {
    available[i] = catalogue.available().test(i) ? 1 : 0;
    const Item* item = catalogue.item(ItemIndex{i});
    if (item == nullptr) continue;
    rows.push_back(to_json(item_to_json(*item)));
    indexes.push_back(i);
    if (rows.size() == kRecordsInPiece) flush();
  }
  flush();
  writer.tensor("available", available);
  writer.leave();
}

Status load_catalogue(ArchiveReader& reader, std::uint32_t items, LiveCatalogue& catalogue) {
  reader.enter("catalogue");
  VT_TRY(const auto available, reader.tensor<std::uint8_t>("available"));
  if (available.size() > items) return Error{Code::kCorrupt, "rows of unknown items"};
  catalogue.resize(available.size());
  for (std::size_t k = 0; reader.has(piece("items", k)); ++k) {
    VT_TRY(const auto rows, reader.strings(piece("items", k)));
    VT_TRY(const auto indexes, reader.tensor<std::uint32_t>(piece("indexes", k)));
    if (indexes.size() != rows.size()) return Error{Code::kCorrupt, "rows without index"};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (indexes[i] >= available.size()) return Error{Code::kCorrupt, "a row too many"};
      VT_TRY(Item item, decode_item(as_bytes(rows[i])));
      catalogue.put(ItemIndex{indexes[i]}, std::move(item));
    }
  }
  reader.leave();
  for (std::uint32_t i = 0; i < available.size(); ++i)
    if (available[i] == 0) catalogue.hide(ItemIndex{i});
  return {};
}

// Users as described. What changes meanwhile is in the log behind the checkpoint, and overwrites.
Status save_descriptions(ArchiveWriter& writer, const StateStore& store, std::string_view prefix) {
  std::vector<std::string> keys, values;
  std::size_t pieces = 0;
  const auto flush = [&] {
    writer.strings(piece("described", pieces), keys);
    writer.strings(piece("descriptions", pieces++), values);
    keys.clear();
    values.clear();
  };
  VT_TRY(store.scan(prefix, [&](std::string_view key, std::string_view value) {
    keys.emplace_back(key);
    values.emplace_back(value);
    if (keys.size() == kRecordsInPiece) flush();
    return true;
  }));
  flush();
  return {};
}

Status load_descriptions(const ArchiveReader& reader, StateStore& store) {
  for (std::size_t k = 0; reader.has(piece("described", k)); ++k) {
    VT_TRY(const auto keys, reader.strings(piece("described", k)));
    VT_TRY(const auto values, reader.strings(piece("descriptions", k)));
    if (keys.size() != values.size()) return Error{Code::kCorrupt, "users without description"};
    for (std::size_t i = 0; i < keys.size(); ++i) VT_TRY(store.put(keys[i], values[i]));
  }
  return {};
}

Result<std::uint64_t> number(const Table& table, std::string_view name) {
  const Value* value = table.find(name);
  const std::int64_t* found = value == nullptr ? nullptr : value->as_int();
  if (found == nullptr || *found < 0)
    return Error{Code::kCorrupt, std::string(name) + " is missing"};
  return static_cast<std::uint64_t>(*found);
}

std::string hex(std::uint64_t bits) { return fmt::format("{:016x}", bits); }

}  // namespace

Status Live::save(const CheckpointPlace& place, EventLog& log) {
  const std::lock_guard alone(saving_mutex_);
  VT_TRY(people_->prepare_save());
  std::unique_lock fold(mutex_);
  VT_TRY(whole());
  const std::uint64_t sequence = sequence_.load(), events = events_.load();
  const std::uint32_t users = vocabulary_.users.size(), items = vocabulary_.items.size();
  const auto catalogue = catalogue_.current();
  people_->begin_save();
  {
    const std::lock_guard lock(erased_mutex_);
    erased_.emplace();
  }
  fold.unlock();

  ArchiveWriter writer(*place.files, place.path, kKind);
  write_ids(writer, "users", users, [&](std::uint32_t i) {
    const std::string_view id = vocabulary_.id(UserIndex{i});
    if (!id.empty()) return std::string(id);
    const std::lock_guard lock(erased_mutex_);
    const auto erased = erased_->find(i);
    return erased == erased_->end() ? std::string() : erased->second;
  });
  {
    const std::lock_guard lock(erased_mutex_);
    erased_.reset();
  }
  write_ids(writer, "items", items,
            [&](std::uint32_t i) { return std::string(vocabulary_.id(ItemIndex{i})); });
  save_catalogue(writer, *catalogue);
  VT_TRY(people_->save(writer));
  VT_TRY(save_descriptions(writer, *store_, kUserKeys));
  // Whatever was caught above is durable before the checkpoint is.
  VT_TRY(log.sync());
  VT_TRY(const std::uint64_t record, record_hash(log, sequence));
  writer.document("state", Table{{"format", kFormat},
                                 {"sequence", static_cast<std::int64_t>(sequence)},
                                 {"events", static_cast<std::int64_t>(events)},
                                 {"users", static_cast<std::int64_t>(users)},
                                 {"items", static_cast<std::int64_t>(items)},
                                 {"record", hex(record)},
                                 {"settings", settings_}});
  VT_TRY(writer.finish());
  saved_.store(sequence);
  return {};
}

Status Live::load(const CheckpointPlace& place, const EventLog& log) {
  VT_TRY(const auto reader, ArchiveReader::open(*place.files, place.path, kKind));
  VT_TRY(const Value document, reader->document("state"));
  const Error odd{Code::kCorrupt, place.path + ": is no checkpoint of a live state"};
  if (document.as_table() == nullptr) return odd;
  const Table& state = *document.as_table();
  const Value *settings = state.find("settings"), *record = state.find("record");
  if (settings == nullptr || settings->as_string() == nullptr || record == nullptr ||
      record->as_string() == nullptr)
    return odd;
  VT_TRY(const std::uint64_t format, number(state, "format"));
  if (format != kFormat) return Error{Code::kUnsupported, place.path + ": has another format"};
  if (*settings->as_string() != settings_)
    return Error{Code::kInvalid, place.path + ": was made with other settings"};
  VT_TRY(const std::uint64_t sequence, number(state, "sequence"));
  VT_TRY(const std::uint64_t there, record_hash(log, sequence));
  // A record that is gone cannot be compared.
  if (sequence > log.last_sequence() || (there != 0 && hex(there) != *record->as_string()))
    return Error{Code::kInvalid, place.path + ": was made from another log"};
  VT_TRY(const std::uint64_t events, number(state, "events"));
  VT_TRY(KnownIds known, read_known_ids(*reader));
  vocabulary_ = std::move(known.vocabulary);
  VT_TRY(load_catalogue(*reader, vocabulary_.items.size(), catalogue_));
  VT_TRY(people_->load(*reader, sequence, vocabulary_.items.size()));
  VT_TRY(load_descriptions(*reader, *store_));
  grown_items_ = vocabulary_.items.size();
  events_.store(events);
  sequence_.store(sequence);
  saved_.store(sequence);
  return {};
}

std::string Live::settings(const Config& config, const EventTypes& types) {
  const std::string text = settings_of(config, types);
  return hex(XXH3_64bits(text.data(), text.size()));
}

Result<KnownIds> checkpointed_ids(const CheckpointPlace& place) {
  VT_TRY(const auto reader, ArchiveReader::open(*place.files, place.path, kKind));
  auto known = read_known_ids(*reader);
  if (!known.ok()) return known.error().prefixed(place.path);
  return known;
}

CheckpointWriter::CheckpointWriter(Work work, double minutes)
    : work_(std::move(work)), minutes_(minutes), thread_([this] { loop(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Status CheckpointWriter::save() {
  try {
    return work_.save();
  } catch (const std::bad_alloc&) {
    return Error{Code::kExhausted, "out of memory"};
  }
}

void CheckpointWriter::loop() {
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double, std::ratio<60>> pause(minutes_);
  Clock::time_point last = Clock::now();
  bool failed = false;
  std::unique_lock lock(mutex_);
  for (bool stop = false; !stop;) {
    // What cannot be written is tried again after a while, not at once.
    wake_.wait_for(lock, std::chrono::seconds(failed ? 60 : 1), [&] { return stopping_; });
    stop = stopping_;
    const std::uint64_t behind = work_.sequence() - work_.saved();
    const bool due = stop || Clock::now() - last >= pause || behind >= kCheckpointRecords;
    if (minutes_ <= 0 || behind == 0 || !due) continue;
    lock.unlock();
    const Status saved = save();
    failed = !saved.ok();
    if (failed) diag(Level::kError, "checkpoint: " + saved.error().message);
    last = Clock::now();
    lock.lock();
  }
}

}  // namespace vitrine
