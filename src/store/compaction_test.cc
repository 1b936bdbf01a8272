#include "store/compaction.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/random.h"
#include "store/event_log.h"
#include "store/segment.h"
#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

struct Kept {
  std::uint64_t sequence;
  RecordKind kind;
  Timestamp received;
  std::uint32_t key_id;
  std::string payload;
  friend bool operator==(const Kept&, const Kept&) = default;
};

// The key of a payload "KEY:REST"; without a colon it has none.
std::string key_part(const LogRecord& record) {
  const std::string_view payload = as_text(record.payload);
  const std::size_t colon = payload.find(':');
  return std::string(payload.substr(0, colon == payload.npos ? 0 : colon));
}

std::string key_of(const Kept& record) {
  return key_part({record.sequence, record.kind, record.received, 0, as_bytes(record.payload)});
}

bool ages(const Kept& r) { return r.kind == RecordKind::kEvent || r.kind == RecordKind::kMerge; }
bool erases(const Kept& r) {
  return r.kind == RecordKind::kEraseItem || r.kind == RecordKind::kEraseUser;
}

// The rule, word for word, over the records before `end`.
std::vector<Kept> compacted(const std::vector<Kept>& all, std::uint64_t end, Timestamp before) {
  std::vector<Kept> kept;
  for (const Kept& record : all) {
    bool keeps = true;
    if (record.sequence < end && ages(record)) {
      const auto young = [&](const Kept& r) {
        return r.received == kNoTime || r.received >= before;
      };
      keeps = young(record);
      for (const Kept& earlier : all)
        if (record.kind == RecordKind::kMerge && earlier.kind == RecordKind::kEvent &&
            earlier.sequence < record.sequence && young(earlier))
          keeps = true;
    } else if (record.sequence < end && !key_of(record).empty()) {
      for (const Kept& later : all)
        if (later.sequence > record.sequence && later.sequence < end && !ages(later) &&
            key_of(later) == key_of(record) && (erases(later) || !erases(record)))
          keeps = false;
    }
    if (keeps) kept.push_back(record);
  }
  return kept;
}

EventLogOptions small() {
  EventLogOptions options;
  options.segment_bytes = 4096;
  return options;
}

std::unique_ptr<EventLog> open(FileSystem& files, const std::string& folder) {
  auto log = open_file_log(files, folder, small());
  EXPECT_TRUE(log.ok()) << log.error().message;
  return log.ok() ? std::move(*log) : nullptr;
}

std::vector<Kept> read(const EventLog& log, std::uint64_t from = 1) {
  std::vector<Kept> found;
  const Status status = log.read(from, [&](const LogRecord& r) -> Status {
    found.push_back({r.sequence, r.kind, r.received, r.key_id, std::string(as_text(r.payload))});
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().message;
  return found;
}

std::uint64_t segments(FileSystem& files, const std::string& folder) {
  const auto names = files.list(folder);
  return static_cast<std::uint64_t>(std::count_if(names->begin(), names->end(), [](auto& name) {
    return parse_segment_name(name).has_value();
  }));
}

// Where the whole segments before `before` end.
std::uint64_t whole_before(FileSystem& files, const std::string& folder, std::uint64_t before) {
  std::uint64_t end = 1;
  const auto names = files.list(folder);
  for (const std::string& name : *names)
    if (const auto first = parse_segment_name(name); first && *first <= before) end = *first;
  return end;
}

// A record of any kind: about three in four are events of times 0 to 99, the others of ten keys.
Kept any_record(const Random& random, std::uint64_t number) {
  constexpr RecordKind kKinds[] = {RecordKind::kItem,      RecordKind::kUser,
                                   RecordKind::kEraseItem, RecordKind::kEraseUser,
                                   RecordKind::kRule,      RecordKind::kConsent};
  const std::uint64_t at = number * 8;
  const std::string text = std::string(random.below(at, 40), 'x') + std::to_string(number);
  const Timestamp received =
      random.below(at + 1, 50) == 0 ? kNoTime : static_cast<Timestamp>(random.below(at + 2, 100));
  const auto key_id = static_cast<std::uint32_t>(random.below(at + 3, 3));
  if (random.below(at + 4, 4) != 0)
    return {0, random.below(at + 5, 20) == 0 ? RecordKind::kMerge : RecordKind::kEvent, received,
            key_id, text};
  const std::uint64_t key = random.below(at + 6, 11);
  return {0, kKinds[random.below(at + 7, std::size(kKinds))], received, key_id,
          key == 10 ? text : std::to_string(key) + ":" + text};
}

void append(EventLog& log, const Random& random, std::size_t count, std::vector<Kept>& all,
            std::uint64_t& next) {
  std::vector<Kept> records;
  for (std::size_t i = 0; i < count; ++i) records.push_back(any_record(random, next + i));
  std::vector<NewRecord> batch;
  for (const Kept& record : records)
    batch.push_back({record.kind, {}, as_bytes(record.payload), record.received, record.key_id});
  const auto appended = log.append(batch);
  ASSERT_TRUE(appended.ok());
  for (Kept& record : records) {
    record.sequence = next++;
    all.push_back(std::move(record));
  }
  ASSERT_EQ(appended->last_sequence, next - 1);
}

TEST(Compaction, AgreesWithTheRule) {
  EXPECT_TRUE(rc::check([] {
    const Random random(*rc::gen::arbitrary<std::uint32_t>());
    const TempFolder folder;  // of the lock
    MemoryFiles files;
    std::vector<Kept> all;
    std::uint64_t next = 1;
    auto log = open(files, folder.path());
    for (int round = *rc::gen::inRange(1, 6); round > 0; --round) {
      for (int batch = *rc::gen::inRange(1, 60); batch > 0; --batch)
        append(*log, random, *rc::gen::inRange<std::size_t>(1, 9), all, next);
      const auto before = *rc::gen::inRange<std::uint64_t>(0, next + 2);
      const auto received = static_cast<Timestamp>(*rc::gen::inRange(0, 110));
      const std::uint64_t end = whole_before(files, folder.path(), before);
      RC_ASSERT(log->compact(before, received, key_part).ok());
      all = compacted(all, end, received);
      RC_ASSERT(read(*log) == all);
      if (*rc::gen::arbitrary<bool>()) {
        log.reset();
        log = open(files, folder.path());
        RC_ASSERT(log->last_sequence() == next - 1);
        RC_ASSERT(read(*log) == all);
      }
      const auto from = *rc::gen::inRange<std::uint64_t>(1, next + 2);
      std::erase_if(all, [&](const Kept& record) { return record.sequence < from; });
      RC_ASSERT(read(*log, from) == all);
      all = read(*log);
    }
  }));
}

struct Shop {
  std::vector<Kept> all;
  std::uint64_t next = 1;
};

void fill(EventLog& log, Shop& shop) {
  for (int i = 0; i < 60; ++i) append(log, Random(3), 8, shop.all, shop.next);
}

TEST(Compaction, SmallSegmentsBecomeOneAndWhatHasNothingToDropIsLeftAlone) {
  const TempFolder folder;  // of the lock
  MemoryFiles memory;
  FaultFiles files(memory);
  const auto log = open(files, folder.path());
  Shop shop;
  fill(*log, shop);
  const std::uint64_t before = segments(files, folder.path());
  ASSERT_GE(before, 6U);
  ASSERT_TRUE(log->compact(~std::uint64_t{0}, 95, key_part).ok());
  EXPECT_EQ(segments(files, folder.path()), 2U);
  const std::uint64_t calls = files.calls();
  ASSERT_TRUE(log->compact(~std::uint64_t{0}, 95, key_part).ok());
  EXPECT_EQ(files.calls(), calls);
  EXPECT_EQ(log->first_sequence(), 1U);
  ASSERT_TRUE(log->trim(shop.next).ok()) << "compacted segments are trimmed like others";
  EXPECT_GT(log->first_sequence(), 1U);
}

TEST(Compaction, IdsThatWereDroppedAreForgottenAndTheOthersAreNot) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  EventLogOptions options = small();
  options.window = 300;
  const auto id_of = [](std::size_t i) { return "event-" + std::to_string(i); };
  const auto append_one = [&](EventLog& log, std::size_t i) {
    const std::string id = id_of(i);
    const NewRecord record{RecordKind::kEvent, id, as_bytes(id), static_cast<Timestamp>(i)};
    return *log.append(std::span(&record, 1));
  };
  std::uint64_t end = 0;
  {
    const auto log = *open_file_log(files, folder.path(), options);
    for (std::size_t i = 0; i < 400; ++i) append_one(*log, i);
    end = whole_before(files, folder.path(), 350);
    ASSERT_TRUE(log->compact(350, 1'000, key_part).ok());
    EXPECT_EQ(append_one(*log, 200).repeated, 1U) << "the window in memory is as it was";
  }
  const auto log = *open_file_log(files, folder.path(), options);
  for (std::size_t i = end; i < 401; ++i)
    EXPECT_EQ(append_one(*log, i - 1).last_sequence, i) << "a repeat, with its sequence";
  EXPECT_EQ(append_one(*log, end - 2).accepted, 1U);
}

TEST(Compaction, DamageIsNamedAndNothingIsReplaced) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  const auto log = open(files, folder.path());
  Shop shop;
  fill(*log, shop);
  const std::string path = folder.path() + "/" + segment_name(1);
  std::string bytes = *read_file(files, path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  files.put(path, bytes);
  const Status status = log->compact(~std::uint64_t{0}, 95, key_part);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kCorrupt);
  EXPECT_NE(status.error().message.find(path), std::string::npos);
  EXPECT_EQ(*read_file(files, path), bytes);
}

// Every bit of a compacted segment: an error that names it, whether others follow it or not.
TEST(Compaction, FlippedBitsAreFound) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  Shop shop;
  {
    const auto log = open(files, folder.path());
    fill(*log, shop);
    ASSERT_TRUE(log->compact(~std::uint64_t{0}, 95, key_part).ok());
  }
  const std::string path = folder.path() + "/" + segment_name(1);
  const std::string whole = *read_file(files, path);
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += 3) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    files.put(path, bytes);
    const auto log = open_file_log(files, folder.path(), small());
    ASSERT_FALSE(log.ok()) << bit;
    ASSERT_EQ(log.error().message.find(path), 0U) << log.error().message;
  }
}

// Each call of a compaction fails, once or from then on, with or without a power cut: all that the
// rule keeps is there, nothing that was not there before, and the next compaction finishes it.
class Failing : public testing::Test {
 protected:
  static bool less(const Kept& a, const Kept& b) { return a.sequence < b.sequence; }
  static bool holds(const std::vector<Kept>& all, const std::vector<Kept>& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end(), less);
  }

  // Fills a log and compacts it with the failure; how many calls that took.
  std::uint64_t compact(std::uint64_t at, std::uint64_t count) {
    const auto log = open(files_, folder_.path());
    fill(*log, shop_);
    const std::uint64_t end = whole_before(files_, folder_.path(), shop_.next);
    fewer_ = compacted(shop_.all, end, 60);
    const std::uint64_t before = files_.calls();
    files_.fail_call(at, Error{Code::kIo, "injected"}, count, 100);
    const Status status = log->compact(end, 60, key_part);
    const std::uint64_t calls = files_.calls() - before;
    EXPECT_EQ(status.ok(), at == 0);
    EXPECT_TRUE(holds(read(*log), fewer_));
    if (count == 1) {
      append(*log, Random(9), 1, shop_.all, shop_.next);
      fewer_.push_back(shop_.all.back());
    }
    return calls;
  }

  void verify() {
    const auto log = open(files_, folder_.path());
    ASSERT_NE(log, nullptr);
    const auto found = read(*log);
    ASSERT_TRUE(std::is_sorted(found.begin(), found.end(), less));
    for (const Kept& record : found) ASSERT_EQ(record, shop_.all.at(record.sequence - 1));
    ASSERT_TRUE(holds(found, fewer_));
    ASSERT_FALSE(file_exists(files_, folder_.path() + "/compacted.tmp"));
    // Of what the first one was to look at, the last segment is not whole before its own start.
    ASSERT_TRUE(log->compact(whole_before(files_, folder_.path(), shop_.next), 60, key_part).ok());
    ASSERT_EQ(read(*log), fewer_);
  }

  const TempFolder folder_;  // of the lock
  MemoryFiles memory_;
  FaultFiles files_{memory_};
  Shop shop_;
  std::vector<Kept> fewer_;
};

TEST_F(Failing, SucceedsOtherwise) {
  EXPECT_GT(compact(0, 1), 10U);
  verify();
}

// Each call of a compaction fails, once or from then on, with or without a power cut: all that the
// rule keeps is there, nothing that was not there before, and the next compaction finishes it.
class FailingCall
    : public Failing,
      public testing::WithParamInterface<std::tuple<std::uint64_t, std::uint64_t, int>> {};

TEST_P(FailingCall, LosesNothing) {
  const auto [at, count, kept] = GetParam();
  compact(at, count);
  files_.fail_call(0, {});
  if (kept >= 0) files_.crash(static_cast<std::uint64_t>(kept));
  verify();
}

INSTANTIATE_TEST_SUITE_P(Compaction, FailingCall,
                         testing::Combine(testing::Range<std::uint64_t>(1, 12),
                                          testing::Values(1, FaultFiles::kUnlimited),
                                          testing::Values(-1, 0, 100, 1'000'000)));

// The newest segment is closed once a compaction has wished for what lies in it.
TEST(Compaction, TheNewestSegmentIsClosedInTheEnd) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  const auto log = open_file_log(files, folder.path(), {});
  ASSERT_TRUE(log.ok());
  const auto add = [&](Timestamp received) {
    const NewRecord record{RecordKind::kEvent, {}, as_bytes("payload"), received};
    ASSERT_TRUE((*log)->append(std::span(&record, 1)).ok());
  };
  for (Timestamp t = 1; t <= 10; ++t) add(t);
  ASSERT_TRUE((*log)->compact(8, 5, key_part).ok());
  EXPECT_EQ(read(**log).size(), 10U);
  add(11);
  ASSERT_TRUE((*log)->compact(11, 5, key_part).ok());
  EXPECT_EQ(read(**log).size(), 7U);
  EXPECT_EQ(read(**log).front().sequence, 5U);
}

TEST(Compaction, ReadersAndAppendsGoOnBesideIt) {
  const TempFolder folder;
  auto log = open(real_files(), folder.path());
  std::atomic<bool> done{false};
  std::atomic<Timestamp> old{0};
  const auto check = [](const EventLog& of, std::uint64_t at_least) {
    std::uint64_t last = 0, items = 0;
    const Status status = of.read(1, [&](const LogRecord& record) -> Status {
      EXPECT_GT(record.sequence, last);
      last = record.sequence;
      items += record.kind == RecordKind::kItem && as_text(record.payload) == "only:one" ? 1 : 0;
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.error().message;
    EXPECT_GE(last, at_least);
    EXPECT_EQ(items, 1U);
  };
  const NewRecord item{RecordKind::kItem, {}, as_bytes("only:one"), 1};
  ASSERT_TRUE(log->append(std::span(&item, 1)).ok());
  std::thread inside([&] {
    while (!done) check(*log, log->last_sequence());
  });
  std::thread outside([&] {
    while (!done) {
      const auto reader = open_file_log_to_read(real_files(), folder.path());
      ASSERT_TRUE(reader.ok()) << reader.error().message;
      check(**reader, (*reader)->last_sequence());
    }
  });
  std::thread compacting([&] {
    while (!done) EXPECT_TRUE(log->compact(log->last_sequence(), old, key_part).ok());
  });
  const std::string payload(100, 'p');
  for (int i = 0; i < 400; ++i) {
    const std::vector<NewRecord> batch(10, {RecordKind::kEvent, {}, as_bytes(payload), i / 4});
    EXPECT_TRUE(log->append(batch).ok());
    old = i / 8;
  }
  done = true;
  for (std::thread* thread : {&inside, &outside, &compacting}) thread->join();
  EXPECT_EQ(log->last_sequence(), 4'001U);
}

}  // namespace
}  // namespace vitrine
