// What every event log and every state store does, whatever stands behind it.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "store/event_log.h"
#include "store/state_store.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

using Names = std::vector<std::string>;

Names names(std::size_t from, std::size_t count) {
  Names out;
  for (std::size_t i = 0; i < count; ++i) out.push_back("n" + std::to_string(from + i));
  return out;
}

// ---- event logs

struct LogKind {
  const char* name;
  std::int64_t segment_bytes;
};

class EventLogSuite : public testing::TestWithParam<LogKind> {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    log_.reset();
    EventLogOptions options;
    options.segment_bytes = GetParam().segment_bytes;
    options.window = 10'000;
    auto opened = open_file_log(real_files(), folder_.path() + "/log", options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    log_ = std::move(*opened);
  }
  Appended append(const Names& ids, bool synced = true) {
    std::vector<NewRecord> records;
    for (const std::string& id : ids) records.push_back({RecordKind::kEvent, id, as_bytes(id)});
    auto appended = synced ? log_->append(records) : log_->append_unsynced(records);
    EXPECT_TRUE(appended.ok()) << appended.error().message;
    return appended.ok() ? *appended : Appended();
  }
  Names all(std::uint64_t from = 1) const {
    Names out;
    const Status status = log_->read(from, [&](const LogRecord& record) -> Status {
      EXPECT_EQ(record.sequence, from + out.size());
      out.emplace_back(as_text(record.payload));
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.error().message;
    return out;
  }

  TempFolder folder_;
  std::unique_ptr<EventLog> log_;
};

TEST_P(EventLogSuite, IsEmptyAtFirst) {
  EXPECT_EQ(log_->last_sequence(), 0U);
  EXPECT_EQ(log_->first_sequence(), 1U);
  EXPECT_TRUE(all().empty());
  EXPECT_TRUE(log_->sync().ok());
  EXPECT_EQ(append({}).last_sequence, 0U);
  reopen();
  EXPECT_EQ(log_->last_sequence(), 0U);
}

TEST_P(EventLogSuite, KeepsEveryFieldOfARecord) {
  const std::string payload("a\0b", 3);
  const NewRecord records[] = {{RecordKind::kItem, "", as_bytes(payload), 1291191960000, 7},
                               {RecordKind::kEraseUser, "", {}, kNoTime, 0}};
  ASSERT_TRUE(log_->append(records).ok());
  for (int round = 0; round < 2; ++round, reopen()) {
    std::vector<std::string> seen;
    ASSERT_TRUE(log_->read(1,
                           [&](const LogRecord& r) -> Status {
                             seen.push_back(std::to_string(r.sequence) + " " +
                                            std::to_string(static_cast<int>(r.kind)) + " " +
                                            std::to_string(r.received == kNoTime ? 0 : r.received) +
                                            " " + std::to_string(r.key_id) + " " +
                                            std::string(as_text(r.payload)));
                             return {};
                           })
                    .ok());
    EXPECT_EQ(seen, (Names{"1 2 1291191960000 7 " + payload, "2 5 0 0 "}));
  }
}

TEST_P(EventLogSuite, SequencesRiseByOneAndSurviveReopening) {
  EXPECT_EQ(append(names(0, 5)).last_sequence, 5U);
  EXPECT_EQ(append(names(5, 1)).last_sequence, 6U);
  reopen();
  EXPECT_EQ(log_->last_sequence(), 6U);
  EXPECT_EQ(append(names(6, 3)).last_sequence, 9U);
  EXPECT_EQ(all(), names(0, 9));
  EXPECT_EQ(all(4), names(3, 6));
  EXPECT_TRUE(all(10).empty());
}

TEST_P(EventLogSuite, ARepeatIsAcknowledgedWithTheFirstSequence) {
  append(names(0, 3));
  for (int round = 0; round < 2; ++round, reopen()) {
    const Appended again = append({"n1"});
    EXPECT_EQ(again.last_sequence, 2U);
    EXPECT_EQ(again.accepted, 0U);
    EXPECT_EQ(again.repeated, 1U);
  }
  const Appended mixed = append({"n2", "x", "x", "n0"});
  EXPECT_EQ(mixed.accepted, 1U);
  EXPECT_EQ(mixed.repeated, 3U);
  EXPECT_EQ(mixed.last_sequence, 4U);
  EXPECT_EQ(mixed.is_repeated, (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(all(), (Names{"n0", "n1", "n2", "x"}));
}

TEST_P(EventLogSuite, RecordsWithoutIdAreAllKept) {
  const NewRecord record{RecordKind::kEvent, "", as_bytes("same")};
  ASSERT_TRUE(log_->append(std::vector(3, record)).ok());
  EXPECT_EQ(log_->last_sequence(), 3U);
}

TEST_P(EventLogSuite, UnsyncedRecordsShowAfterTheSync) {
  EXPECT_EQ(append(names(0, 4), false).last_sequence, 4U);
  EXPECT_EQ(append({"n2"}, false).repeated, 1U);
  ASSERT_TRUE(log_->sync().ok());
  EXPECT_EQ(log_->last_sequence(), 4U);
  EXPECT_EQ(all(), names(0, 4));
  append(names(4, 2), false);
  EXPECT_EQ(append({"n5"}).repeated, 1U) << "a repeat waits for the disk too";
  EXPECT_EQ(log_->last_sequence(), 6U);
}

TEST_P(EventLogSuite, ReadingStopsAtAnErrorOfTheVisitor) {
  append(names(0, 5));
  int seen = 0;
  const Status status = log_->read(1, [&](const LogRecord&) -> Status {
    if (++seen == 3) return Error{Code::kCancelled, "enough"};
    return {};
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_EQ(seen, 3);
}

TEST_P(EventLogSuite, TrimDropsOnlyWhatLiesBefore) {
  for (std::size_t i = 0; i < 1000; i += 10) append(names(i, 10));
  ASSERT_TRUE(log_->trim(501).ok());
  const std::uint64_t first = log_->first_sequence();
  EXPECT_LE(first, 501U);
  EXPECT_EQ(all(first), names(first - 1, 1001 - first));
  reopen();
  EXPECT_EQ(log_->first_sequence(), first);
  EXPECT_EQ(append(names(1000, 1)).last_sequence, 1001U);
  ASSERT_TRUE(log_->trim(~std::uint64_t{0}).ok());
  EXPECT_EQ(log_->last_sequence(), 1001U);
}

// Threads append, some of it twice; readers and a trimmer go on beside them.
TEST_P(EventLogSuite, ConcurrentAppendsAreEachThereOnce) {
  constexpr std::size_t kThreads = 4, kBatches = 40, kEach = 5;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> accepted{0};
  std::vector<std::thread> threads;
  std::vector<std::map<std::string, std::uint64_t>> acknowledged(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t b = 0; b < kBatches; ++b) {
        // Neighbouring threads share half of what they send.
        const Names ids = names((b * kThreads + t / 2) * kEach, kEach);
        const Appended result = append(ids, b % 3 != 0);
        accepted += result.accepted;
        acknowledged[t][ids.back()] = result.last_sequence;
      }
      EXPECT_TRUE(log_->sync().ok());
    });
  std::thread reader([&] {
    while (!done) {
      const std::uint64_t last = log_->last_sequence();
      std::uint64_t expected = 1;
      const Status status = log_->read(1, [&](const LogRecord& record) -> Status {
        EXPECT_EQ(record.sequence, expected++);
        return {};
      });
      EXPECT_TRUE(status.ok());
      EXPECT_GT(expected, last);
      EXPECT_TRUE(log_->trim(1).ok());
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  const Names found = all();
  EXPECT_EQ(found.size(), accepted.load());
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size());
  for (const auto& one : acknowledged)
    for (const auto& entry : one) EXPECT_EQ(found.at(entry.second - 1), entry.first);
}

INSTANTIATE_TEST_SUITE_P(Logs, EventLogSuite,
                         testing::Values(LogKind{"file", 64 << 20}, LogKind{"file_small", 4096}),
                         [](const auto& kind) { return kind.param.name; });

// ---- state stores

// A URL; "%" is a fresh folder.
class StateStoreSuite : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string url = GetParam();
    if (const auto at = url.find('%'); at != std::string::npos)
      url.replace(at, 1, folder_.path() + "/state");
    auto opened = open_state_store(url);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  std::optional<std::string> get(std::string_view key) const { return store_->get(key).value(); }
  std::map<std::string, std::string> all(std::string_view prefix) const {
    std::map<std::string, std::string> found;
    std::string last;
    EXPECT_TRUE(store_
                    ->scan(prefix,
                           [&](std::string_view key, std::string_view value) {
                             EXPECT_TRUE(found.empty() || last < key);
                             last = key;
                             found.emplace(key, value);
                             return true;
                           })
                    .ok());
    return found;
  }

  TempFolder folder_;
  std::unique_ptr<StateStore> store_;
};

TEST_P(StateStoreSuite, KeepsTheLatestValue) {
  EXPECT_FALSE(get("a"));
  ASSERT_TRUE(store_->put("a", "1").ok());
  ASSERT_TRUE(store_->put("a", "2").ok());
  ASSERT_TRUE(store_->put(std::string_view("a\0", 2), std::string_view("\0\xff", 2)).ok());
  EXPECT_EQ(get("a"), "2");
  EXPECT_EQ(get(std::string_view("a\0", 2)), std::string("\0\xff", 2));
  ASSERT_TRUE(store_->erase("a").ok());
  ASSERT_TRUE(store_->erase("never there").ok());
  EXPECT_FALSE(get("a"));
}

TEST_P(StateStoreSuite, ScanStopsWhenToldAndMayWrite) {
  for (const char* key : {"p/2", "p/1", "q", "p/3", "o"}) ASSERT_TRUE(store_->put(key, "v").ok());
  Names seen;
  ASSERT_TRUE(store_
                  ->scan("p/",
                         [&](std::string_view key, std::string_view) {
                           seen.emplace_back(key);
                           EXPECT_TRUE(store_->put("p/9", "late").ok());
                           return seen.size() < 2;
                         })
                  .ok());
  EXPECT_EQ(seen, (Names{"p/1", "p/2"}));
}

TEST_P(StateStoreSuite, AgreesWithAMap) {
  std::map<std::string, std::string> model;
  EXPECT_TRUE(rc::check([&] {
    const auto key = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '\xff', '\0'));
    const auto value = *rc::gen::arbitrary<std::string>();
    const auto starts = [&](const auto& entry) { return entry.first.starts_with(key); };
    switch (*rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {1, 2}})) {
      case 0:
        RC_ASSERT(store_->put(key, value).ok());
        model[key] = value;
        break;
      case 1:
        RC_ASSERT(store_->erase(key).ok());
        model.erase(key);
        break;
      default:
        if (key.empty()) return;
        RC_ASSERT(store_->erase_prefix(key).ok());
        std::erase_if(model, starts);
    }
    std::map<std::string, std::string> expected;
    std::copy_if(model.begin(), model.end(), std::inserter(expected, expected.end()), starts);
    RC_ASSERT(all(key) == expected);
    RC_ASSERT(all("") == model);
    RC_ASSERT(get(key).has_value() == model.contains(key));
  }));
  EXPECT_TRUE(store_->erase_prefix("").ok());
  EXPECT_TRUE(all("").empty());
}

TEST_P(StateStoreSuite, TakesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const std::string own = std::to_string(t) + "/";
      for (int i = 0; i < 200; ++i) {
        const std::string key = own + std::to_string(i);
        EXPECT_TRUE(store_->put(key, key).ok());
        EXPECT_EQ(get(key), key);
        if (i % 50 == 0) {
          EXPECT_EQ(all(own).size(), static_cast<std::size_t>(i + 1));
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(all("").size(), 800U);
}

INSTANTIATE_TEST_SUITE_P(Stores, StateStoreSuite, testing::Values("memory:", "rocksdb:%"),
                         [](const auto& url) {
                           const std::string text = url.param;
                           return text.substr(0, text.find(':'));
                         });

TEST(OpenStateStore, NamesWhatItKnows) {
  for (const char* url : {"", "redis:localhost", "rocksdb", "rocksdb:"}) {
    const auto opened = open_state_store(url);
    ASSERT_FALSE(opened.ok()) << url;
    EXPECT_EQ(opened.error().code, Code::kInvalid);
    EXPECT_NE(opened.error().message.find("rocksdb:"), std::string::npos);
  }
}

// Derived state survives a clean close, and damage to it is no reason not to start.
TEST(RocksdbStateStore, ReopensAndIsMadeAnewWhenDamaged) {
  const TempFolder folder;
  const std::string url = "rocksdb:" + folder.path() + "/state";
  { ASSERT_TRUE((*open_state_store(url))->put("a", "1").ok()); }
  { EXPECT_EQ((*open_state_store(url))->get("a").value(), "1"); }
  auto current = real_files().create(folder.path() + "/state/CURRENT");
  ASSERT_TRUE((*current)->append(as_bytes("nonsense")).ok());
  auto opened = open_state_store(url);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_FALSE((*opened)->get("a").value());
}

}  // namespace
}  // namespace vitrine
