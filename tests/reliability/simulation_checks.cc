// What the simulated shop answers, beside what it must.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "engine/dataset.h"
#include "engine/live.h"
#include "tests/reliability/simulation.h"

namespace vitrine {

namespace {

void same_ids(const StringIndex& index, const std::vector<std::string>& ids) {
  ASSERT_EQ(index.size(), ids.size());
  for (std::uint32_t i = 0; i < ids.size(); ++i) ASSERT_EQ(index.id(i), ids[i]) << i;
}

}  // namespace

void Simulation::train() {
  TrainRequest request;
  request.validate = one_in(6);
  request.force = one_in(2);
  const auto report = engine_->train(work(), request);
  if (!report.ok() && report.error().message.starts_with("there are no events"))
    return tell(": nothing to learn");
  if (!report.ok()) {
    maybe_published();
    return refused(report.error());
  }
  const Manifest& manifest = report->manifest;
  tell(": " + manifest.name + (report->published ? "" : ", not published: " + report->verdict));
  ASSERT_GE(manifest.sequence, durable_);
  ASSERT_LE(manifest.sequence, log_.size());
  durable_ = manifest.sequence;  // training reads nothing else
  const Oracle learned(std::span<const Record>(log_).first(durable_), types_, weights_);
  EXPECT_EQ(manifest.users, learned.users.size());
  EXPECT_EQ(manifest.items, learned.items.size());
  if (report->published) current_ = {manifest.name};
}

void Simulation::roll_back() {
  const auto manifests = engine_->snapshots();
  ASSERT_TRUE(manifests.ok()) << manifests.error().message;
  if (manifests->empty()) return;
  const std::string name = (*manifests)[below(manifests->size())].name;
  tell(" to " + name);
  if (const Status done = engine_->publish(name); !done.ok()) {
    maybe_published();
    return refused(done.error());
  }
  current_ = {name};
}

// What failed half-way may stand for now, and be gone after a power cut.
void Simulation::maybe_published() {
  const auto name = SnapshotFolder(files_, path("snapshots")).current();
  ASSERT_TRUE(name.ok()) << name.error().message;
  current_.insert(*name);
}

void Simulation::recommend() {
  const Oracle now = oracle();
  RecommendRequest request;
  request.user = one_in(3) ? "" : any("u", 9);
  if (request.user.empty()) request.session = any("s", 5);
  request.n = static_cast<int>(1 + below(6));
  request.pages = one_in(2);
  request.repeat = one_in(2) ? "always" : "never";
  const auto user = now.user(request.user);
  std::set<std::string> had, shown;
  for (const auto& done : user ? now.history(*user) : now.history(request.session))
    had.insert(now.items[done.item]);
  for (int page = 0; page < 20; ++page) {
    const auto answer = engine_->recommend(request);
    if (!answer.ok()) return refused(answer.error());
    EXPECT_EQ(answer->sequence, log_.size());
    for (const AnsweredItem& listed : answer->items) {
      const auto item = now.item(listed.id);
      EXPECT_TRUE(item && now.available[*item]) << listed.id << " may not be shown";
      EXPECT_TRUE(shown.insert(listed.id).second) << listed.id << " is shown twice";
      EXPECT_FALSE(request.repeat == "never" && had.contains(listed.id)) << listed.id;
    }
    request.next = answer->next;
    if (request.next.empty()) break;
  }
  tell(": " + std::to_string(shown.size()) + " items");
}

void Simulation::check() {
  const Oracle now = oracle();
  // The first question to a shop that was just opened reads the log, which the disk may refuse.
  if (const auto first = engine_->popular({.n = 1}); !first.ok()) return refused(first.error());
  const EngineStatus status = engine_->status();
  EXPECT_EQ(status.sequence, log_.size());
  EXPECT_EQ(status.users, now.users.size());
  EXPECT_EQ(status.items, now.items.size());
  EXPECT_EQ(status.events, now.events);
  check_people(now);
  check_catalogue(now);
  check_popular(now);
  if (failing_ || refuses_) return;  // the files, read by others
  check_replay(now);
  check_snapshot(now);
}

void Simulation::check_history(std::span<const HistoryEvent> live, const Oracle::History& history) {
  ASSERT_EQ(live.size(), history.size());
  for (std::size_t i = 0; i < live.size(); ++i) {
    ASSERT_EQ(raw(live[i].item), history[i].item) << i;
    ASSERT_EQ(live[i].type, history[i].type) << i;
    ASSERT_EQ(live[i].time, history[i].time) << i;
    ASSERT_EQ(live[i].value, history[i].value) << i;
  }
}

void Simulation::check_people(const Oracle& oracle) {
  for (int u = 0; u < 9; ++u) {
    const std::string id = "u" + std::to_string(u);
    SCOPED_TRACE(id);
    const auto person = engine_->person(id);
    const auto user = oracle.user(id);
    ASSERT_EQ(person.ok(), user.has_value());
    ASSERT_EQ(engine_->user(id).ok(), user.has_value());
    if (!user) continue;
    ASSERT_NO_FATAL_FAILURE(check_history(person->history, oracle.history(*user)));
  }
}

void Simulation::check_catalogue(const Oracle& oracle) {
  for (int i = 0; i < 17; ++i) {
    const std::string id = "i" + std::to_string(i);
    SCOPED_TRACE(id);
    const auto item = engine_->item(id);
    const auto index = oracle.item(id);
    ASSERT_EQ(item.ok(), index && (oracle.described[*index] || oracle.available[*index]));
    if (!item.ok() || !oracle.described[*index]) continue;
    ASSERT_EQ(to_json(item_to_json(*item)), to_json(item_to_json(*oracle.described[*index])));
  }
}

void Simulation::check_popular(const Oracle& oracle) {
  for (const auto& [days, hours] : {std::pair(0, 0), {1, 0}, {7, 0}, {92, 0}, {0, 1}, {0, 30}}) {
    SCOPED_TRACE(std::to_string(days) + " days, " + std::to_string(hours) + " hours");
    std::vector<std::pair<float, std::uint32_t>> expected, found;
    for (const auto& [item, sum] : oracle.popular(days, hours)) expected.emplace_back(-sum, item);
    std::sort(expected.begin(), expected.end());
    const auto answer = engine_->popular({.n = 100, .days = days, .hours = hours});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    for (const AnsweredItem& item : answer->items)
      found.emplace_back(static_cast<float>(-item.score), oracle.item(item.id).value());
    ASSERT_EQ(found, expected);
  }
  const auto rising = engine_->trending({.n = 100});
  ASSERT_TRUE(rising.ok()) << rising.error().message;
  for (const AnsweredItem& item : rising->items)
    ASSERT_TRUE(oracle.available[oracle.item(item.id).value()]) << item.id;
}

// Another process that opens the same files, with their checkpoint, and one that trains.
void Simulation::check_replay(const Oracle& oracle) {
  if (log_.empty()) return;
  const auto log = open_file_log_to_read(files_, path("log"));
  ASSERT_TRUE(log.ok()) << log.error().message;
  const auto live = Live::replay(work(), **log, types_, config_,
                                 "memory:", CheckpointPlace{&files_, path("checkpoint")});
  ASSERT_TRUE(live.ok()) << live.error().message;
  EXPECT_EQ((*live)->sequence(), log_.size());
  ASSERT_NO_FATAL_FAILURE(same_ids((*live)->vocabulary().users, oracle.users));
  ASSERT_NO_FATAL_FAILURE(same_ids((*live)->vocabulary().items, oracle.items));
  for (std::uint32_t u = 0; u < oracle.users.size(); ++u) {  // the erased ones too
    const auto history = (*live)->people().history({UserIndex{u}, {}});
    ASSERT_TRUE(history.ok()) << history.error().message;
    ASSERT_NO_FATAL_FAILURE(check_history(*history, oracle.history(u)));
  }
  for (int s = 0; s < 5; ++s) {
    const std::string session = "s" + std::to_string(s);
    SCOPED_TRACE(session);
    const auto history = (*live)->people().history({kNoUser, session});
    ASSERT_TRUE(history.ok()) << history.error().message;
    ASSERT_NO_FATAL_FAILURE(check_history(*history, oracle.history(session)));
  }
  const auto raw = read_dataset(work(), **log, types_, kWholeLog, config_.live);
  ASSERT_TRUE(raw.ok()) << raw.error().message;
  ASSERT_NO_FATAL_FAILURE(same_ids(raw->vocabulary.users, oracle.users));
  ASSERT_NO_FATAL_FAILURE(same_ids(raw->vocabulary.items, oracle.items));
}

void Simulation::check_snapshot(const Oracle& oracle) {
  const SnapshotFolder folder(files_, path("snapshots"));
  const auto name = folder.current();
  ASSERT_TRUE(name.ok()) << name.error().message;
  EXPECT_TRUE(current_.contains(*name)) << *name;
  if (name->empty()) return;
  const auto snapshot = Snapshot::load(files_, folder.path(*name));
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
  const Manifest& manifest = (*snapshot)->manifest;
  ASSERT_LE(manifest.sequence, log_.size());
  ASSERT_LE(manifest.items, oracle.items.size());
  Vocabulary vocabulary;
  for (const std::string& item : oracle.items) vocabulary.add_item(item);
  EXPECT_EQ(manifest.items_fingerprint, items_fingerprint(vocabulary, manifest.items));
}

}  // namespace vitrine
