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
constexpr std::string_view kUserKeys = "user/";

std::string user_key(std::string_view id) { return std::string(kUserKeys) + std::string(id); }

}  // namespace

Result<std::unique_ptr<Live>> Live::replay(const Run& run, const EventLog& log,
                                           const EventTypes& types, const Config& config,
                                           const std::string& state_url) {
  std::unique_ptr<Live> live(new Live(config));
  VT_TRY(live->store_, open_state_store(state_url));
  VT_TRY(live->store_->erase_prefix(kUserKeys));
  VT_TRY(live->people_, LiveState::open(config.histories, types, *live->store_));
  const std::uint64_t first = log.first_sequence(), last = log.last_sequence();
  Stage stage(run.monitor, "replaying the event log", last >= first ? last - first + 1 : 0,
              "records");
  Event event;
  VT_TRY(log.read(first, [&](const LogRecord& record) -> Status {
    auto folded = live->fold(record, types, event);
    if (!folded.ok()) {
      return folded.error().prefixed("event log, record " + std::to_string(record.sequence));
    }
    const std::uint64_t done = record.sequence - first + 1;
    return done % kReportEvery == 0 ? stage.proceed(done) : Status();
  }));
  live->grow();
  live->catalogue_.publish();
  return live;
}

Status Live::fold(const LogRecord& record, const EventTypes& types, Event& event) {
  Turn turn(*this);
  switch (record.kind) {
    case RecordKind::kEvent:
      VT_TRY(decode_event(record.payload, types, event));
      turn.event(record.sequence, event);
      break;
    case RecordKind::kItem: {
      VT_TRY(Item item, decode_item(record.payload));
      turn.item(std::move(item));
      break;
    }
    case RecordKind::kUser: {
      VT_TRY(const User user, decode_user(record.payload));
      turn.user(user, as_text(record.payload));
      break;
    }
    case RecordKind::kEraseItem:
      turn.erase_item(as_text(record.payload));
      break;
    case RecordKind::kEraseUser:
      turn.erase_user(as_text(record.payload));
      break;
    case RecordKind::kRule:
    case RecordKind::kConsent:
      break;
    default:
      return Error{Code::kCorrupt,
                   "a record of a kind that this version does not know; a newer Vitrine "
                   "wrote it"};
  }
  sequence_.store(record.sequence);
  return {};
}

void Live::apply(std::uint64_t first, std::uint64_t last, const std::function<void(Turn&)>& batch) {
  std::unique_lock lock(mutex_);
  advanced_.wait(lock, [&] { return sequence_.load() + 1 >= first; });
  Turn turn(*this);
  batch(turn);
  grow();
  catalogue_.publish();
  sequence_.store(last);
  lock.unlock();
  advanced_.notify_all();
}

bool Live::wait_for(std::uint64_t sequence, std::int64_t milliseconds) const {
  if (sequence_.load() >= sequence) return true;
  std::unique_lock lock(mutex_);
  return advanced_.wait_for(lock, std::chrono::milliseconds(milliseconds),
                            [&] { return sequence_.load() >= sequence; });
}

Result<std::optional<User>> Live::user(std::string_view id) const {
  VT_TRY(const auto json, store_->get(user_key(id)));
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

void Live::Turn::event(std::uint64_t sequence, const Event& event) {
  Vocabulary& vocabulary = live_.vocabulary_;
  Person person{kNoUser, event.session};
  if (!event.user.empty()) person.user = vocabulary.add_user(event.user);
  const ItemIndex item = event.item.empty() ? kNoItem : vocabulary.add_item(event.item);
  live_.complain(live_.people_->apply(sequence, event, person, item));
  live_.events_.fetch_add(1);
}

void Live::Turn::item(Item item) {
  const ItemIndex index = live_.vocabulary_.add_item(item.id);
  live_.catalogue_.put(index, std::move(item));
  if (!live_.is_product(live_.vocabulary_.id(index))) live_.catalogue_.hide(index);
}

void Live::Turn::user(const User& user, std::string_view json) {
  live_.vocabulary_.add_user(user.id);
  live_.complain(live_.store_->put(user_key(user.id), json));
}

void Live::Turn::erase_item(std::string_view id) {
  if (const auto index = live_.vocabulary_.item(id)) live_.catalogue_.erase(*index);
}

void Live::Turn::erase_user(std::string_view id) {
  if (const auto index = live_.vocabulary_.user(id)) {
    live_.complain(live_.people_->erase({*index, {}}));
    live_.vocabulary_.users.erase(id);
  }
  live_.complain(live_.store_->erase(user_key(id)));
}

}  // namespace vitrine
