#include "engine/live.h"

#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "data/glob.h"
#include "engine/dataset.h"
#include "engine/diag.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kReportEvery = 16'384;  // records between two looks at the monitor

std::string user_key(std::string_view prefix, std::string_view id) {
  return std::string(prefix) + std::string(id);
}

}  // namespace

Result<std::unique_ptr<Live>> Live::empty(const EventTypes& types, const Config& config,
                                          const std::string& state_url, LiveLimits limits) {
  std::unique_ptr<Live> live(new Live(config, types));
  VT_TRY(live->store_, open_state_store(state_url));
  VT_TRY(live->store_->erase_prefix(kUserKeys));
  VT_TRY(live->people_, LiveState::open(config.histories, types, *live->store_, limits));
  return live;
}

Result<std::unique_ptr<Live>> Live::nothing(const EventTypes& types, const Config& config,
                                            KnownIds known) {
  VT_TRY(auto live, empty(types, config, "memory:", {}));
  live->begin_with(std::move(known));
  return live;
}

// The state of the checkpoint, else of nothing but what is known.
Result<std::unique_ptr<Live>> Live::start(const EventLog& log, const EventTypes& types,
                                          const Config& config, const std::string& state_url,
                                          const CheckpointPlace& checkpoint, LiveLimits limits,
                                          KnownIds known) {
  known.sequence = std::min(known.sequence, log.last_sequence());
  VT_TRY(auto live, empty(types, config, state_url, limits));
  std::string why = "there is no checkpoint";
  if (checkpoint.files != nullptr && file_exists(*checkpoint.files, checkpoint.path)) {
    const Status loaded = live->load(checkpoint, log);
    const std::uint64_t needed = std::max(known.sequence, log.first_sequence() - 1);
    if (loaded.ok() && live->sequence() >= needed) return live;
    why = loaded.ok() ? checkpoint.path + ": ends before the log begins" : loaded.error().message;
    diag(Level::kWarning, why + "; what the log has is replayed instead");
    live.reset();  // closes its store
    VT_TRY(live, empty(types, config, state_url, limits));
  }
  if (known.sequence == 0 && log.last_sequence() > 0 && log.first_sequence() > 1) {
    return Error{Code::kCorrupt,
                 "the event log begins at record " + std::to_string(log.first_sequence()) +
                     ", what came before it was trimmed, and the checkpoint that holds it cannot "
                     "be used: " +
                     why + "; undo the change of settings if that is why, else put " +
                     (checkpoint.path.empty() ? "it" : checkpoint.path) +
                     " back from a backup that is not older than the log's first record"};
  }
  live->begin_with(std::move(known));
  return live;
}

// The ids first, then the records that brought them and are still there.
void Live::begin_with(KnownIds known) {
  if (known.sequence == 0) return;
  vocabulary_ = std::move(known.vocabulary);
  known_ = known.sequence;
  sequence_.store(known_);
  then_.emplace(vocabulary_);
}

Status Live::fold(const LogRecord& record, const EventTypes& types, Event& event) {
  Turn turn(*this);
  if (record.sequence > known_) {
    if (record.sequence != sequence_.load() + 1) return lacks_records_before(record.sequence);
    then_.reset();
    const Status folded = turn.record(record, types, event);
    sequence_.store(record.sequence);
    return folded;
  }
  const std::uint32_t items = vocabulary_.items.size();
  VT_TRY(turn.record(record, types, event));
  return unknown_ || vocabulary_.items.size() != items ? names_unknown_ids() : Status();
}

Result<std::unique_ptr<Live>> Live::replay(const Run& run, const EventLog& log,
                                           const EventTypes& types, const Config& config,
                                           const std::string& state_url,
                                           const CheckpointPlace& checkpoint,
                                           std::optional<LiveLimits> limits, KnownIds known) {
  const LiveLimits bounds = limits.value_or(
      LiveLimits{kHistoryMax, static_cast<std::uint64_t>(config.live.memory_mb) << 20});
  VT_TRY(auto live, start(log, types, config, state_url, checkpoint, bounds, std::move(known)));
  const std::uint64_t first =
      live->then_ ? log.first_sequence() : std::max(live->sequence() + 1, log.first_sequence());
  const std::uint64_t last = log.last_sequence();
  Stage stage(run.monitor, "replaying the event log", last >= first ? last - first + 1 : 0,
              "records");
  Event event;
  VT_TRY(log.read(first, [&](const LogRecord& record) -> Status {
    const Status folded = live->fold(record, types, event);
    if (!folded.ok()) {
      return folded.error().prefixed("event log, record " + std::to_string(record.sequence));
    }
    const std::uint64_t done = record.sequence - first + 1;
    return done % kReportEvery == 0 ? stage.proceed(done) : Status();
  }));
  live->then_.reset();
  live->grow();
  live->catalogue_.publish();
  return live;
}

Status Live::Turn::record(const LogRecord& record, const EventTypes& types, Event& event) {
  switch (record.kind) {
    case RecordKind::kEvent:
      VT_TRY(decode_event(record.payload, types, event));
      event.received = received_of(event, record.received);
      this->event(record.sequence, event);
      break;
    case RecordKind::kItem: {
      VT_TRY(Item described, decode_item(record.payload));
      this->item(std::move(described));
      break;
    }
    case RecordKind::kUser: {
      VT_TRY(const User described, decode_user(record.payload));
      this->user(described, as_text(record.payload));
      break;
    }
    case RecordKind::kEraseItem:
      erase_item(as_text(record.payload));
      break;
    case RecordKind::kEraseUser:
      erase_user(as_text(record.payload));
      break;
    case RecordKind::kRule:
    case RecordKind::kConsent:
      break;  // nobody writes them yet
    case RecordKind::kMerge: {
      VT_TRY(const Merge named, decode_merge(record.payload));
      merge(named);
      break;
    }
    default:
      return Error{Code::kCorrupt,
                   "a record of a kind that this version does not know; a newer Vitrine "
                   "wrote it"};
  }
  return {};
}

void Live::apply(std::uint64_t first, std::uint64_t last, const std::function<void(Turn&)>& batch) {
  std::unique_lock lock(mutex_);
  advanced_.wait(lock, [&] { return sequence_.load() + 1 >= first; });
  then_.reset();
  const bool was_whole = whole_.load();
  try {
    Turn turn(*this);
    if (was_whole) batch(turn);
    grow();
    catalogue_.publish();
  } catch (const std::bad_alloc&) {  // whoever comes next must not wait for us
    whole_.store(false);
  }
  sequence_.store(last);
  lock.unlock();
  advanced_.notify_all();
  if (was_whole && !whole_.load()) diag(Level::kError, whole().error().message);
}

Status Live::whole() const {
  if (whole_.load()) return {};
  return Error{Code::kExhausted,
               "memory ran out while what was logged was taken in; answers lack it, and nothing "
               "more is taken, until the program is started again"};
}

bool Live::wait_for(std::uint64_t sequence, std::int64_t milliseconds) const {
  if (sequence_.load() >= sequence) return true;
  std::unique_lock lock(mutex_);
  return advanced_.wait_for(lock, std::chrono::milliseconds(milliseconds),
                            [&] { return sequence_.load() >= sequence; });
}

Result<std::optional<User>> Live::user(std::string_view id) const {
  VT_TRY(const auto json, store_->get(user_key(kUserKeys, id)));
  if (!json) return std::optional<User>();
  VT_TRY(User user, decode_user(as_bytes(*json)));
  return std::optional(std::move(user));
}

bool Live::is_product(std::string_view id) const {
  if (!cleaning_.non_products) return true;
  const auto& ids = cleaning_.non_product_ids;
  if (std::find(ids.begin(), ids.end(), id) != ids.end()) return false;
  const auto& patterns = cleaning_.non_product_patterns;
  return std::none_of(patterns.begin(), patterns.end(),
                      [&](const std::string& pattern) { return glob_matches(pattern, id); });
}

// Items that came with events get a row. What is no product is never available.
void Live::grow() {
  const std::uint32_t items = vocabulary_.items.size();
  catalogue_.resize(items);
  for (; grown_items_ < items; ++grown_items_) {
    const ItemIndex index{grown_items_};
    if (!is_product(vocabulary_.id(index))) catalogue_.hide(index);
  }
}

// A state store that fails costs memory, not answers: said once.
void Live::complain(const Status& status) {
  if (status.ok() || complained_) return;
  complained_ = true;
  diag(Level::kError, "state store: " + status.error().message);
}

UserIndex Live::user_of(std::string_view id) {
  if (!then_) return vocabulary_.add_user(id);
  const UserIndex user = then_->of(id);
  unknown_ |= user == kNoUser;
  return user;
}

void Live::Turn::event(std::uint64_t sequence, const Event& event) {
  Vocabulary& vocabulary = live_.vocabulary_;
  Person person{kNoUser, event.session};
  if (!event.user.empty()) {
    person.user = live_.user_of(event.user);
    if (live_.options_.merge_sessions && !event.session.empty())
      live_.complain(live_.people_->merge({kNoUser, event.session}, person));
  }
  const ItemIndex item = event.item.empty() ? kNoItem : vocabulary.add_item(event.item);
  const std::string region = region_of(event.context, live_.options_.region);
  live_.complain(live_.people_->apply(sequence, event, person, item, region));
  live_.events_.fetch_add(1);
}

void Live::Turn::item(Item item) {
  const ItemIndex index = live_.vocabulary_.add_item(item.id);
  live_.catalogue_.put(index, std::move(item));
  if (!live_.is_product(live_.vocabulary_.id(index))) live_.catalogue_.hide(index);
}

void Live::Turn::user(const User& user, std::string_view json) {
  live_.user_of(user.id);
  live_.complain(live_.store_->put(user_key(kUserKeys, user.id), json));
}

void Live::Turn::erase_item(std::string_view id) {
  if (const auto index = live_.vocabulary_.item(id)) live_.catalogue_.erase(*index);
}

void Live::Turn::erase_user(std::string_view id) {
  if (live_.then_) {
    if (const auto index = live_.then_->find(id))
      live_.complain(live_.people_->erase({*index, {}}));
    live_.then_->erase(id);
  } else if (const auto index = live_.vocabulary_.user(id)) {
    live_.complain(live_.people_->erase({*index, {}}));
    {
      const std::lock_guard lock(live_.erased_mutex_);
      if (live_.erased_) live_.erased_->emplace(raw(*index), id);
    }
    live_.vocabulary_.users.erase(id);
  }
  live_.complain(live_.store_->erase(user_key(kUserKeys, id)));
}

void Live::Turn::merge(const Merge& merge) {
  const Person to{live_.user_of(merge.to), {}};
  Person from{kNoUser, merge.session};
  if (!merge.user.empty()) {
    const auto known =
        live_.then_ ? live_.then_->find(merge.user) : live_.vocabulary_.user(merge.user);
    if (!known) return;
    from = {*known, {}};
  }
  live_.complain(live_.people_->merge(from, to));
}

}  // namespace vitrine
