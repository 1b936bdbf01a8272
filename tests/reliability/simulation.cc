#include "tests/reliability/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/json.h"
#include "base/toml.h"

namespace vitrine {
namespace {

constexpr Timestamp kStart = 1'760'000'000'000, kYear = 365 * kDay;
constexpr std::uint64_t kUsers = 8, kSessions = 5, kItems = 12, kOrders = 4;

Timestamp now = 0;  // of the simulation that runs
Timestamp virtual_time() { return now; }

Record item_record(const Item& item) { return {RecordKind::kItem, to_json(item_to_json(item))}; }

}  // namespace

Simulation::Simulation(std::uint64_t seed) : random_(Random(seed).fork("simulation")) {
  const auto table = parse_toml("[train]\nmodels = ['popularity']\nsnapshots_kept = 2\n", "here");
  config_ = *config_from_table(*table, folder_.path() + "/vitrine.toml");
  config_.evaluate.bootstrap = 20;
  config_.log.segment_bytes = 4096;
  config_.log.durability = one_in(4) ? "interval" : "sync";
  config_.log.interval_ms = 60'000;  // longer than any life
  types_ = *event_types(config_);
  weights_ = *event_weights(config_.histories, types_);
  current_ = {""};
  now = kStart;
  for (const char* folder : {"log", "snapshots"}) std::filesystem::create_directories(path(folder));
  tell("durability " + config_.log.durability);
}

const std::vector<Simulation::Operation>& Simulation::operations() {
  using S = Simulation;
  static const std::vector<Operation> all = {{"add events", 30, &S::add_events},
                                             {"put items", 6, &S::put_items},
                                             {"patch an item", 3, &S::patch_item},
                                             {"erase an item", 2, &S::erase_item},
                                             {"put users", 2, &S::put_users},
                                             {"erase a user", 3, &S::erase_user},
                                             {"merge", 4, &S::merge},
                                             {"checkpoint", 4, &S::checkpoint},
                                             {"train", 3, &S::train},
                                             {"roll back", 2, &S::roll_back},
                                             {"recommend", 10, &S::recommend},
                                             {"look at everything", 3, &S::check},
                                             {"restart", 6, &S::restart},
                                             {"damage the checkpoint", 1, &S::damage_checkpoint}};
  return all;
}

void Simulation::run() {
  open();
  add_events();  // before the first write there is no log to ask
  const auto add = [](std::uint64_t sum, const Operation& o) { return sum + o.weight; };
  const auto total =
      std::accumulate(operations().begin(), operations().end(), std::uint64_t{0}, add);
  for (std::uint64_t left = 20 + below(80); left > 0; --left) {
    pass_time();
    std::uint64_t draw = below(total);
    auto operation = operations().begin();
    while (draw >= operation->weight) draw -= (operation++)->weight;
    tell("\n  " + format_time(now) + "  " + operation->name);
    if (one_in(8)) break_disk();
    (this->*operation->run)();
    mend_disk();
    if (testing::Test::HasFailure()) return;
  }
  tell("\n  at the end: ");
  restart();
}

// Stands still, goes on, and jumps either way.
void Simulation::pass_time() {
  const std::uint64_t how = below(24);
  if (how < 6) return;
  if (how < 18) {
    now += static_cast<Timestamp>(below(3'600)) * kSecond;
  } else if (how < 22) {
    now += static_cast<Timestamp>(below(5)) * kDay;
  } else if (how == 22) {
    now += (one_in(2) ? -10 : 10) * kYear;
  } else {
    now = one_in(2) ? 0 : kStart;
  }
  now = std::clamp(now, Timestamp{0}, kStart + 100 * kYear);
}

void Simulation::break_disk() {
  failing_ = true;
  if (one_in(4)) {
    const std::uint64_t space = below(2'000);
    files_.set_space(space);
    tell(" [" + std::to_string(space) + " bytes left]");
    return;
  }
  const Code code = one_in(2) ? Code::kIo : Code::kExhausted;
  const std::uint64_t at = 1 + below(12), torn = below(200);
  for_ever_ = one_in(4);
  files_.fail_call(at, Error{code, "injected"}, for_ever_ ? FaultFiles::kUnlimited : 1, torn);
  tell(std::string(" [") + (code == Code::kIo ? "EIO" : "ENOSPC") + " at call " +
       std::to_string(at) + (for_ever_ ? " and ever after]" : "]"));
}

void Simulation::mend_disk() {
  files_.fail_call(0, {});
  files_.set_space(FaultFiles::kUnlimited);
  failing_ = for_ever_ = false;
}

void Simulation::open() {
  auto engine = Engine::open(config_, files_, OpenMode::kTool, work(), virtual_time);
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  engine_ = std::move(engine).value();
  refuses_ = false;
}

void Simulation::restart() {
  mend_disk();
  // With an interval, a log whose disk failed has cut off what was not durable.
  std::size_t durable = refuses_ ? durable_ : log_.size();
  const std::uint64_t how = below(3);
  tell(how == 0 ? ": stopped" : how == 1 ? ": killed" : ": power cut");
  if (how > 0) files_.fail_call(1, Error{Code::kIo, "dead"}, FaultFiles::kUnlimited);
  engine_.reset();
  files_.fail_call(0, {});
  if (how == 2) {
    files_.crash(below(300));
    durable = durable_;
  }
  if (one_in(4)) {
    break_disk();
    (void)open_file_log(files_, path("log"), config_.log).ok();
    mend_disk();
  }
  adopt(durable);
  if (testing::Test::HasFailure()) return;
  open();
  check();
}

void Simulation::damage_checkpoint() {
  mend_disk();
  auto bytes = read_file(files_, path("checkpoint"));
  if (!bytes.ok() || bytes->empty()) return;
  const std::size_t at = below(bytes->size());
  if (one_in(2))
    bytes->resize(at);
  else
    (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << below(8)));
  memory_.put(path("checkpoint"), *bytes);
  restart();
}

// What the log holds now: everything acknowledged, as far as it was durable, and nothing else.
void Simulation::adopt(std::size_t durable) {
  const auto open_log = [&]() -> Result<std::unique_ptr<const EventLog>> {
    if (one_in(2)) return open_file_log_to_read(files_, path("log"));
    VT_TRY(auto log, open_file_log(files_, path("log"), config_.log));
    return std::unique_ptr<const EventLog>(std::move(log));
  };
  std::vector<Record> found;
  if (const auto log = open_log(); log.ok()) {
    const Status read = (*log)->read(1, [&](const LogRecord& record) -> Status {
      EXPECT_EQ(record.sequence, found.size() + 1);
      found.push_back({record.kind, std::string(as_text(record.payload))});
      return {};
    });
    ASSERT_TRUE(read.ok()) << read.error().message;
  } else {
    ASSERT_EQ(log.error().code, Code::kNotFound) << log.error().message;
  }
  ASSERT_GE(found.size(), durable) << "an acknowledged record is lost";
  tails_.emplace_back();
  const auto tail = std::find_if(tails_.begin(), tails_.end(), [&](const auto& records) {
    std::vector<Record> expected = log_;
    expected.insert(expected.end(), records.begin(), records.end());
    expected.resize(std::min(found.size(), expected.size()));
    return found == expected;
  });
  ASSERT_NE(tail, tails_.end()) << found.size() << " records are there, which are not the "
                                << log_.size() << " that were acknowledged";
  log_.insert(log_.end(), tail->begin(), tail->end());
  log_.resize(found.size());
  tails_.clear();
  durable_ = log_.size();
  known_.clear();
  for (const Record& record : log_) known_.insert(record.id);
  tell(", " + std::to_string(log_.size()) + " records");
}

Event Simulation::any_event() {
  if (!sent_.empty() && one_in(8)) return sent_[below(sent_.size())];
  constexpr EventType kTypes[] = {
      EventType::kView,   EventType::kView,       EventType::kCart,
      EventType::kCart,   EventType::kPurchase,   EventType::kPurchase,
      EventType::kReturn, EventType::kRating,     EventType::kHide,
      EventType::kSearch, EventType::kImpression, EventType::kRemoveFromCart};
  Event event;
  event.type = kTypes[below(std::size(kTypes))];
  event.item = any("i", kItems);
  if (below(4) > 0) event.user = any("u", kUsers);
  if (event.user.empty() || one_in(3)) event.session = any("s", kSessions);
  if (one_in(2)) event.order = any("o", kOrders);
  if (one_in(2)) event.quantity = static_cast<double>(1 + below(3));
  if (event.type == EventType::kRating) event.value = static_cast<double>(1 + below(5));
  if (event.type == EventType::kPurchase && one_in(8)) event.quantity = -1;
  if (event.type == EventType::kSearch && one_in(2)) event.item.clear();
  if (event.type == EventType::kReturn && !event.order.empty() && one_in(2)) event.item.clear();
  const Timestamp times[] = {now,  // early, late, of the same moment, and of a clock that is ahead
                             now - static_cast<Timestamp>(below(40)) * kDay, kStart,
                             now + static_cast<Timestamp>(below(4)) * kDay, now + kYear};
  if (one_in(2)) event.time = times[below(std::size(times))];
  if (below(3) > 0) event.id = "e" + std::to_string(draws_);
  if (!event.id.empty()) sent_.push_back(event);
  return event;
}

void Simulation::add_events() {
  std::vector<Event> events(1 + below(4));
  std::vector<Record> records;
  for (Event& event : events) {
    event = any_event();
    Event timed = event;
    timed.received = now;
    if (timed.time == kNoTime) timed.time = now;
    records.push_back({RecordKind::kEvent, "", event.id});
    encode_event(timed, types_, records.back().payload);
  }
  told(engine_->add_events(events), std::move(records));
}

void Simulation::put_items() {
  std::vector<Item> items(1 + below(3));
  std::vector<Record> records;
  for (Item& item : items) {
    item.id = any("i", kItems + 4);
    item.title = "title " + std::to_string(below(100));
    item.category = {"All", any("c", 3)};
    item.available = !one_in(4);
    records.push_back(item_record(item));
  }
  told(engine_->put_items(items), std::move(records));
}

void Simulation::patch_item() {
  const std::string id = any("i", kItems + 4);
  Table changes;
  if (one_in(2))
    changes.set("available", one_in(2));
  else
    changes.set("title", "title " + std::to_string(below(100)));
  const Oracle before = oracle();
  const auto index = before.item(id);
  const bool known = index && (before.described[*index] || before.available[*index]);
  const auto ack = engine_->patch_item(id, changes);
  if (!ack.ok() && ack.error().code == Code::kNotFound) return unknown(known);
  Item item;
  item.id = id;
  if (known) item = before.described[*index].value_or(item);
  ASSERT_TRUE(vitrine::patch_item(item, changes).ok());
  told(ack, {item_record(item)});
}

void Simulation::erase_item() {
  const std::string id = any("i", kItems);
  const bool known = oracle().item(id).has_value();
  const auto ack = engine_->erase_item(id);
  if (!ack.ok() && ack.error().code == Code::kNotFound) return unknown(known);
  told(ack, {{RecordKind::kEraseItem, id}});
}

void Simulation::put_users() {
  User user;
  user.id = any("u", kUsers);
  user.attributes.set("age", static_cast<std::int64_t>(below(99)));
  told(engine_->put_users(std::span(&user, 1)), {{RecordKind::kUser, to_json(user_to_json(user))}});
}

void Simulation::erase_user() {
  const std::string id = any("u", kUsers);
  const bool known = oracle().user(id).has_value();
  const auto ack = engine_->erase_user(id);
  if (!ack.ok() && ack.error().code == Code::kNotFound) return unknown(known);
  told(ack, {{RecordKind::kEraseUser, id}});
}

void Simulation::merge() {
  Merge merge;
  merge.to = any("u", kUsers);
  if (one_in(2))
    merge.user = any("u", kUsers);
  else
    merge.session = any("s", kSessions);
  const bool known = merge.user.empty() || oracle().user(merge.user);
  const auto ack = engine_->merge(merge);
  if (!ack.ok() && ack.error().code == Code::kNotFound) return unknown(known);
  told(ack, {{RecordKind::kMerge, encode_merge(merge)}});
}

void Simulation::told(const Result<Ack>& ack, std::vector<Record> records) {
  auto known = known_;
  std::vector<bool> repeated;
  std::vector<Record> fresh;
  for (Record& record : records) {
    repeated.push_back(!record.id.empty() && !known.insert(record.id).second);
    if (!repeated.back()) fresh.push_back(std::move(record));
  }
  if (!ack.ok()) {
    // A disk that fails for ever keeps the log from cutting off what it failed to write.
    if (failing_ && for_ever_) tails_.push_back(std::move(fresh));
    return refused(ack.error());
  }
  tell(": " + std::to_string(ack->accepted) + " of " + std::to_string(records.size()));
  EXPECT_EQ(ack->accepted, fresh.size());
  EXPECT_EQ(ack->is_repeated, repeated);
  log_.insert(log_.end(), fresh.begin(), fresh.end());
  known_ = std::move(known);
  EXPECT_TRUE(fresh.empty() || ack->sequence == log_.size()) << ack->sequence;
  if (config_.log.durability == "sync") durable_ = log_.size();
}

void Simulation::refused(const Error& error) {
  tell(": refused, " + error.message);
  EXPECT_TRUE(failing_ || refuses_) << error.message;
  refuses_ = refuses_ || error.code == Code::kIo;
}

void Simulation::unknown(bool known) {
  tell(": not known");
  EXPECT_FALSE(known);
}

void Simulation::checkpoint() {
  const Status done = engine_->checkpoint();
  if (!done.ok()) return refused(done.error());
  durable_ = log_.size();
}

}  // namespace vitrine
