// Writing: everything that changes goes through the log first, then into the live state.
#include <fmt/format.h>

#include <unordered_map>

#include "base/json.h"
#include "engine/dataset.h"
#include "engine/limits.h"
#include "engine/state.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kSyncEvery = 50'000;  // imported records between two syncs

// Payloads of one batch, in one buffer.
class Batch {
 public:
  explicit Batch(RecordKind kind) : kind_(kind) {}

  std::string& buffer() { return bytes_; }  // the next payload is appended here, then add()
  void add(std::string_view id, Timestamp received) {
    ends_.push_back(bytes_.size());
    ids_.push_back(id);
    received_.push_back(received);
  }
  std::string_view payload(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }
  std::vector<NewRecord> records() const {
    std::vector<NewRecord> records;
    records.reserve(ends_.size());
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      records.push_back({kind_, ids_[i], as_bytes(payload(i)), received_[i], 0});
    }
    return records;
  }

 private:
  RecordKind kind_;
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> ids_;
  std::vector<Timestamp> received_;
};

// "event 3: ..." of a batch, the bare message of a single record.
template <class Record, class Check>
Status check_all(std::span<const Record> records, std::string_view what, const Check& check) {
  if (records.size() > kBatchMax) {
    return Error{Code::kExhausted,
                 fmt::format("{} records in one call, at most {} are taken; send smaller "
                             "batches",
                             records.size(), kBatchMax)};
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Status checked = check(records[i]);
    if (checked.ok()) continue;
    if (records.size() == 1) return checked;
    return checked.error().prefixed(fmt::format("{} {}", what, i + 1));
  }
  return {};
}

// `now`: when they are received, unless they say that it was earlier.
Batch event_batch(std::span<const Event> events, const EventTypes& types, Timestamp now) {
  Batch batch(RecordKind::kEvent);
  for (const Event& event : events) {
    encode_event(event, types, batch.buffer());
    batch.add(event.id, received_of(event, now));
  }
  return batch;
}

template <class Record>
Batch json_batch(RecordKind kind, std::span<const Record> records, Value (*write)(const Record&),
                 Timestamp now) {
  Batch batch(kind);
  for (const Record& record : records) {
    batch.buffer() += to_json(write(record));
    batch.add({}, now);
  }
  return batch;
}

// Live events, as far as the log took them.
void fold_events(Live::Turn& turn, std::span<const Event> events, const Appended& appended) {
  std::uint64_t sequence = appended.last_sequence - appended.accepted;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!appended.is_repeated[i]) turn.event(++sequence, events[i]);
  }
}

}  // namespace

Result<Ack> Engine::State::write(std::span<const NewRecord> records, bool durable,
                                 const std::function<void(Live::Turn&, const Appended&)>& batch) {
  std::shared_lock building(live_building);
  Live* live = live_ready.load();
  if (live != nullptr) VT_TRY(live->whole());
  VT_TRY(EventLog * log, log_to_write());
  VT_TRY(const Appended appended, durable ? log->append(records) : log->append_unsynced(records));
  if (live != nullptr && appended.accepted > 0) {
    live->apply(appended.last_sequence - appended.accepted + 1, appended.last_sequence,
                [&](Live::Turn& turn) { batch(turn, appended); });
  }
  return Ack{appended.last_sequence, appended.accepted, appended.repeated, appended.is_repeated};
}

Result<Ack> Engine::add_events(std::span<const Event> events) {
  if (events.empty()) return Ack{};
  VT_TRY(check_all<Event>(events, "event", [](const Event& e) { return check_event(e); }));
  std::vector<Event> timed(events.begin(), events.end());
  const Timestamp now = state_->clock();
  for (Event& event : timed) {
    event.received = received_of(event, now);
    if (event.time == kNoTime) event.time = event.received;
  }
  const Batch batch = event_batch(timed, state_->types, now);
  return state_->write(batch.records(), true, [&](Live::Turn& turn, const Appended& appended) {
    fold_events(turn, timed, appended);
  });
}

Result<Ack> Engine::put_items(std::span<const Item> items) {
  const std::shared_lock lock(state_->patching);
  return state_->put_items(items);
}

Result<Ack> Engine::State::put_items(std::span<const Item> items) {
  if (items.empty()) return Ack{};
  // Through JSON and back, the log holds nothing that a replay would refuse.
  VT_TRY(check_all<Item>(items, "item", [](const Item& item) -> Status {
    VT_TRY(const Item read, item_from_json(item_to_json(item)));
    return {};
  }));
  const Batch batch = json_batch<Item>(RecordKind::kItem, items, item_to_json, clock());
  return write(batch.records(), true, [&](Live::Turn& turn, const Appended&) {
    for (const Item& item : items) turn.item(item);
  });
}

Result<Ack> Engine::put_users(std::span<const User> users) {
  const std::shared_lock lock(state_->patching);
  return state_->put_users(users);
}

Result<Ack> Engine::State::put_users(std::span<const User> users) {
  if (users.empty()) return Ack{};
  VT_TRY(check_all<User>(users, "user", [](const User& user) -> Status {
    VT_TRY(const User read, user_from_json(user_to_json(user)));
    return {};
  }));
  const Batch batch = json_batch<User>(RecordKind::kUser, users, user_to_json, clock());
  return write(batch.records(), true, [&](Live::Turn& turn, const Appended&) {
    for (std::size_t i = 0; i < users.size(); ++i) turn.user(users[i], batch.payload(i));
  });
}

Result<Ack> Engine::patch_item(std::string_view id, const Value& changes) {
  const std::lock_guard alone(state_->patching);
  VT_TRY(Item current, item(id));
  VT_TRY(vitrine::patch_item(current, changes));
  return state_->put_items(std::span(&current, 1));
}

Result<Ack> Engine::patch_user(std::string_view id, const Value& changes) {
  const std::lock_guard alone(state_->patching);
  VT_TRY(User current, user(id));
  VT_TRY(vitrine::patch_user(current, changes));
  return state_->put_users(std::span(&current, 1));
}

Result<Ack> Engine::erase_item(std::string_view id) {
  const std::shared_lock lock(state_->patching);
  VT_TRY(const Live* live, state_->live());
  if (!live->vocabulary().item(id)) {
    return Error{Code::kNotFound, "there is no item '" + std::string(id) + "'"};
  }
  const NewRecord record{RecordKind::kEraseItem, {}, as_bytes(id), state_->clock(), 0};
  return state_->write(std::span(&record, 1), true,
                       [&](Live::Turn& turn, const Appended&) { turn.erase_item(id); });
}

Result<Ack> Engine::erase_user(std::string_view id) {
  const std::shared_lock lock(state_->patching);
  VT_TRY(const Live* live, state_->live());
  if (!live->vocabulary().user(id)) {
    return Error{Code::kNotFound, "there is no user '" + std::string(id) + "'"};
  }
  const NewRecord record{RecordKind::kEraseUser, {}, as_bytes(id), state_->clock(), 0};
  return state_->write(std::span(&record, 1), true, [&](Live::Turn& turn, const Appended&) {
    turn.erase_user(id);
    state_->pages.forget(id);
  });
}

Result<Ack> Engine::merge(const Merge& merge) {
  VT_TRY(check_id(merge.to, "id"));
  if (merge.session.empty() == merge.user.empty()) {
    return Error{Code::kInvalid, "name the session or the user to merge from, one of them"};
  }
  if (!merge.session.empty()) VT_TRY(check_id(merge.session, "session"));
  if (!merge.user.empty()) {
    VT_TRY(check_id(merge.user, "user"));
    VT_TRY(const Live* live, state_->live());
    if (!live->vocabulary().user(merge.user))
      return Error{Code::kNotFound, "there is no user '" + merge.user + "'"};
  }
  const std::string payload = encode_merge(merge);
  const NewRecord record{RecordKind::kMerge, {}, as_bytes(payload), state_->clock(), 0};
  return state_->write(std::span(&record, 1), true,
                       [&](Live::Turn& turn, const Appended&) { turn.merge(merge); });
}

Result<KnownItem> Engine::item(std::string_view id) const {
  VT_TRY(const Live* live, state_->live());
  const auto index = live->vocabulary().item(id);
  if (!index) return Error{Code::kNotFound, "there is no item '" + std::string(id) + "'"};
  const auto catalogue = live->catalogue();
  if (const Item* found = catalogue->item(*index)) return KnownItem{*found};
  if (!catalogue->available().test(raw(*index))) {
    return Error{Code::kNotFound, "the item '" + std::string(id) + "' was erased"};
  }
  KnownItem bare;
  bare.id = id;
  bare.incomplete = true;
  return bare;
}

Result<KnownUser> Engine::user(std::string_view id) const {
  VT_TRY(const Live* live, state_->live());
  VT_TRY(const auto described, live->user(id));
  if (described) return KnownUser{*described};
  if (!live->vocabulary().user(id)) {
    return Error{Code::kNotFound, "there is no user '" + std::string(id) + "'"};
  }
  KnownUser bare;
  bare.id = id;
  bare.incomplete = true;
  return bare;
}

Result<LivePerson> Engine::person(std::string_view user) const {
  VT_TRY(const Live* live, state_->live());
  const auto index = live->vocabulary().user(user);
  if (!index) return Error{Code::kNotFound, "there is no user '" + std::string(user) + "'"};
  LivePerson person;
  person.id = user;
  VT_TRY(person.history, live->people().history({*index, {}}));
  for (const HistoryEvent& event : person.history) {
    person.items.emplace_back(live->vocabulary().id(event.item));
  }
  return person;
}

namespace {

// Where imported records go. Records that say what is known already change nothing: events by their
// ids, items and users by their content.
class Importer {
 public:
  Importer(Engine::State& state, ImportReport& repeats) : state_(state), repeats_(repeats) {}

  ImportSink sink() {
    return {[this](std::span<const Event> events) { return add_events(events); },
            [this](std::span<const Item> items) { return add<Item>(items, RecordKind::kItem); },
            [this](std::span<const User> users) { return add<User>(users, RecordKind::kUser); }};
  }
  Status finish() { return unsynced_ > 0 ? sync() : Status(); }

 private:
  Status sync() {
    unsynced_ = 0;
    VT_TRY(EventLog * log, state_.log_to_write());
    return log->sync();
  }

  Status wrote(const Result<Ack>& ack) {
    if (!ack.ok()) return ack.error();
    repeats_.repeated += ack->repeated;
    unsynced_ += ack->accepted;
    return unsynced_ >= kSyncEvery ? sync() : Status();
  }

  Status add_events(std::span<const Event> events) {
    const Timestamp now = state_.clock();
    const Batch batch = event_batch(events, state_.types, now);
    return wrote(
        state_.write(batch.records(), false, [&](Live::Turn& turn, const Appended& appended) {
          std::vector<Event> heard(events.begin(), events.end());
          for (Event& event : heard) event.received = received_of(event, now);
          fold_events(turn, heard, appended);
        }));
  }

  static Value json_of(const Item& item) { return item_to_json(item); }
  static Value json_of(const User& user) { return user_to_json(user); }
  static void fold(Live::Turn& turn, const Item& item, std::string_view) { turn.item(item); }
  static void fold(Live::Turn& turn, const User& user, std::string_view json) {
    turn.user(user, json);
  }

  template <class Record>
  Status add(std::span<const Record> records, RecordKind kind) {
    VT_TRY(read_known());
    Batch batch(kind);
    std::vector<const Record*> added;
    const Timestamp now = state_.clock();
    for (const Record& record : records) {
      const std::string json = to_json(json_of(record));
      auto [known, first] = known_.try_emplace(key(kind, record.id), json);
      if (!first && known->second == json) {
        ++repeats_.repeated;
        continue;
      }
      known->second = json;
      batch.buffer() += json;
      batch.add({}, now);
      added.push_back(&record);
    }
    if (added.empty()) return {};
    return wrote(state_.write(batch.records(), false, [&](Live::Turn& turn, const Appended&) {
      for (std::size_t i = 0; i < added.size(); ++i) fold(turn, *added[i], batch.payload(i));
    }));
  }

  static std::string key(RecordKind kind, std::string_view id) {
    return (kind == RecordKind::kItem ? "i" : "u") + std::string(id);
  }

  // Every item and user as the log has them last.
  Status read_known() {
    if (std::exchange(known_read_, true)) return {};
    VT_TRY(const EventLog* log, state_.log_to_write());
    return log->read(log->first_sequence(), [this](const LogRecord& record) -> Status {
      const std::string_view payload = as_text(record.payload);
      if (record.kind == RecordKind::kItem) {
        VT_TRY(const Item item, decode_item(record.payload));
        known_.insert_or_assign(key(record.kind, item.id), std::string(payload));
      } else if (record.kind == RecordKind::kUser) {
        VT_TRY(const User user, decode_user(record.payload));
        known_.insert_or_assign(key(record.kind, user.id), std::string(payload));
      } else if (record.kind == RecordKind::kEraseItem) {
        known_.erase(key(RecordKind::kItem, payload));
      } else if (record.kind == RecordKind::kEraseUser) {
        known_.erase(key(RecordKind::kUser, payload));
      }
      return {};
    });
  }

  Engine::State& state_;
  ImportReport& repeats_;
  std::uint64_t unsynced_ = 0;
  bool known_read_ = false;
  std::unordered_map<std::string, std::string> known_;
};

}  // namespace

Result<ImportReport> Engine::import(const Run& run, const SourceOptions& source, bool strict) {
  ImportReport repeats;
  SourceOptions resolved = source;
  resolved.path = state_->config.resolve(source.path);
  if (resolved.name.empty()) resolved.name = source.path.substr(source.path.rfind('/') + 1);
  Importer importer(*state_, repeats);
  auto report = import_source(run, state_->files, resolved, state_->types, strict, importer.sink());
  VT_TRY(importer.finish());  // what came before an error is kept
  if (!report.ok()) return report;
  report->repeated += repeats.repeated;
  return report;
}

}  // namespace vitrine
