#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <map>
#include <thread>

#include "store/event_log.h"
#include "store/segment.h"
#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

// Records with payload = id, which is how the tests know them again.
struct Batch {
  std::vector<std::string> ids;
  std::vector<NewRecord> records;
  explicit Batch(std::vector<std::string> names) : ids(std::move(names)) {
    for (const std::string& id : ids)
      records.push_back({RecordKind::kEvent, id, as_bytes(id), 1000, 0});
  }
};

std::unique_ptr<EventLog> open(FileSystem& files, const std::string& folder,
                               EventLogOptions options = {}) {
  auto log = open_file_log(files, folder, options);
  EXPECT_TRUE(log.ok()) << log.error().message;
  return log.ok() ? std::move(*log) : nullptr;
}

std::vector<std::string> payloads(const EventLog& log, std::uint64_t from = 1) {
  std::vector<std::string> all;
  std::uint64_t expected = std::max(from, log.first_sequence());
  const Status status = log.read(from, [&](const LogRecord& record) -> Status {
    EXPECT_EQ(record.sequence, expected++);
    all.emplace_back(as_text(record.payload));
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(expected, std::max(from, log.last_sequence() + 1));
  return all;
}

std::vector<std::string> names(std::size_t from, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back("event-" + std::to_string(from + i));
  return out;
}

Status add(EventLog& log, std::vector<std::string> ids) {
  const Batch batch(std::move(ids));
  auto appended = log.append(batch.records);
  return appended.ok() ? Status() : appended.error();
}

std::vector<std::string> segments_of(FileSystem& files, const std::string& folder) {
  std::vector<std::string> found;
  const auto names = files.list(folder);
  for (const std::string& name : *names)
    if (parse_segment_name(name)) found.push_back(folder + "/" + name);
  return found;
}

EventLogOptions small_segments() {
  EventLogOptions options;
  options.segment_bytes = 4096;
  return options;
}

TEST(FileEventLog, SegmentsAreClosedAtTheirSizeAndReadInOrder) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  std::vector<std::string> all;
  {
    const auto log = open(files, folder.path(), small_segments());
    for (std::size_t i = 0; i < 600; i += 3) {
      ASSERT_TRUE(add(*log, names(i, 3)).ok());
      for (auto& name : names(i, 3)) all.push_back(name);
    }
    EXPECT_EQ(payloads(*log), all);
  }
  const auto segments = segments_of(files, folder.path());
  EXPECT_GE(segments.size(), 6U);
  for (const auto& file : segments) EXPECT_LE(read_file(files, file)->size(), 4096U);
  const auto log = open(files, folder.path(), small_segments());
  EXPECT_EQ(payloads(*log), all);
  EXPECT_EQ(payloads(*log, 500), std::vector(all.begin() + 499, all.end()));
  EXPECT_TRUE(payloads(*log, 601).empty());
}

TEST(FileEventLog, ASecondProcessIsTurnedAwayByName) {
  const TempFolder folder;
  const auto log = open(real_files(), folder.path());
  const auto second = open_file_log(real_files(), folder.path(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().message.find(folder.path() + "/lock"), std::string::npos);
  EXPECT_NE(second.error().message.find("process "), std::string::npos);
}

TEST(FileEventLog, AReaderSeesWhatIsThereAndChangesNothing) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  const auto log = open(files, folder.path(), small_segments());
  for (std::size_t i = 0; i < 300; i += 3) ASSERT_TRUE(add(*log, names(i, 3)).ok());
  files.put(folder.path() + "/" + segment_name(301), "torn");  // as if the writer was making it
  const auto reader = open_file_log_to_read(files, folder.path());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(payloads(**reader), names(0, 300));
  EXPECT_EQ((*reader)->last_sequence(), 300U);
  EXPECT_EQ(read_file(files, folder.path() + "/" + segment_name(301)).value(), "torn");
}

TEST(FileEventLog, TheWindowForgetsOldIdsAndIsTheSameAfterOpening) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  EventLogOptions options = small_segments();
  options.window = 100;
  {
    const auto log = open(files, folder.path(), options);
    for (std::size_t i = 0; i < 250; ++i) ASSERT_TRUE(add(*log, names(i, 1)).ok());
  }
  const auto log = open(files, folder.path(), options);
  const Batch known(names(150, 100));
  auto appended = log->append(known.records);
  ASSERT_TRUE(appended.ok());
  EXPECT_EQ(appended->repeated, 100U);
  EXPECT_EQ(appended->last_sequence, 250U);
  ASSERT_TRUE(add(*log, names(149, 1)).ok());
  EXPECT_EQ(log->last_sequence(), 251U);
}

// Every length to which a crash can shorten the last segment: what was whole is there, and the log
// goes on.
TEST(FileEventLog, ATornTailIsCutAtEveryByte) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  { ASSERT_TRUE(add(*open(files, folder.path()), names(0, 2)).ok()); }
  const std::string path = segments_of(files, folder.path()).at(0);
  const std::size_t before = read_file(files, path)->size();
  { ASSERT_TRUE(add(*open(files, folder.path()), names(2, 2)).ok()); }
  const std::string whole = *read_file(files, path);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    files.put(path, std::string_view(whole).substr(0, size));
    const std::size_t kept = size == whole.size() ? 4 : size >= before ? 2 : 0;
    const auto log = open(files, folder.path());
    ASSERT_EQ(payloads(*log), names(0, kept)) << size;
    ASSERT_TRUE(add(*log, names(10, 1)).ok());
    ASSERT_EQ(payloads(*log).size(), kept + 1) << size;
  }
}

// Every bit of the last batch: it is cut off as a whole. Every bit of one before it: an error that
// names the place, because a later sync proves that the bytes had been there.
TEST(FileEventLog, FlippedBitsLoseNothingSilently) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  std::vector<std::size_t> ends;
  std::string path;
  {
    const auto log = open(files, folder.path());
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(add(*log, names(i, 1)).ok());
      path = segments_of(files, folder.path()).at(0);
      ends.push_back(read_file(files, path)->size());
    }
  }
  const std::string whole = *read_file(files, path);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    files.put(path, bytes);
    auto log = open_file_log(files, folder.path(), {});
    if (bit / 8 >= ends[1]) {
      ASSERT_TRUE(log.ok()) << bit << log.error().message;
      ASSERT_EQ(payloads(**log), names(0, 2)) << bit;
    } else {
      ASSERT_FALSE(log.ok()) << bit;
      EXPECT_EQ(log.error().message.substr(0, path.size()), path);
      EXPECT_NE(log.error().message.find("offset "), std::string::npos) << log.error().message;
      ASSERT_EQ(read_file(files, path).value(), bytes) << "nothing is lost by looking";
    }
  }
}

TEST(FileEventLog, DamageInAnOlderSegmentIsAnErrorWhereItIsRead) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  EventLogOptions options = small_segments();
  {
    const auto log = open(files, folder.path(), options);
    for (std::size_t i = 0; i < 300; ++i) ASSERT_TRUE(add(*log, names(i, 1)).ok());
  }
  const auto segments = segments_of(files, folder.path());
  std::string bytes = *read_file(files, segments[1]);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  files.put(segments[1], bytes);
  const auto refused = open_file_log(files, folder.path(), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
  EXPECT_NE(refused.error().message.find(segments[1] + ": damaged at offset"), std::string::npos);

  options.window = 1;  // opening does not look there, reading does
  const auto log = open(files, folder.path(), options);
  std::size_t seen = 0;
  const Status status = log->read(1, [&](const LogRecord&) -> Status { return ++seen, Status(); });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, refused.error().message);
  EXPECT_GT(seen, 30U);
}

TEST(FileEventLog, AMissingSegmentIsAnError) {
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  {
    const auto log = open(files, folder.path(), small_segments());
    for (std::size_t i = 0; i < 300; ++i) ASSERT_TRUE(add(*log, names(i, 1)).ok());
  }
  const auto segments = segments_of(files, folder.path());
  ASSERT_TRUE(files.remove(segments[1]).ok());
  const auto refused = open_file_log(files, folder.path(), small_segments());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find(segments[2]), std::string::npos);
}

TEST(FileEventLog, AFullDiskLosesTheBatchAndNothingElse) {
  const TempFolder folder;
  FaultFiles files;
  const auto log = open(files, folder.path());
  ASSERT_TRUE(add(*log, names(0, 10)).ok());
  files.set_space(100);
  const Status full = add(*log, names(10, 10));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::kExhausted) << full.error().message;
  EXPECT_EQ(payloads(*log), names(0, 10));
  files.set_space(FaultFiles::kUnlimited);
  ASSERT_TRUE(add(*log, names(10, 5)).ok()) << "there is room again";
  EXPECT_EQ(payloads(*log), names(0, 15));
}

TEST(FileEventLog, AfterAFailedSyncItRefusesUntilOpenedAgain) {
  const TempFolder folder;
  FaultFiles files;
  {
    const auto log = open(files, folder.path());
    ASSERT_TRUE(add(*log, names(0, 3)).ok());
    files.fail_call(2, Error{Code::kIo, "broken"});  // append, then sync
    const Status failed = add(*log, names(3, 3));
    ASSERT_FALSE(failed.ok());
    EXPECT_NE(failed.error().message.find("opened again"), std::string::npos);
    ASSERT_FALSE(add(*log, names(3, 3)).ok());
    EXPECT_EQ(payloads(*log), names(0, 3));
  }
  const auto log = open(files, folder.path());
  EXPECT_EQ(payloads(*log), names(0, 3)) << "what was not durable is not found in the page cache";
  ASSERT_TRUE(add(*log, names(3, 3)).ok());
  EXPECT_EQ(payloads(*log), names(0, 6));
}

// A process died and left records that nobody synced: once it is open again, they count, also as
// repeats.
TEST(FileEventLog, WhatIsFoundAtOpenIsDurable) {
  const TempFolder folder;
  FaultFiles files;
  {
    const auto log = open(files, folder.path());
    ASSERT_TRUE(add(*log, names(0, 2)).ok());
    ASSERT_TRUE(log->append_unsynced(Batch(names(2, 3)).records).ok());
  }
  {
    const auto log = open(files, folder.path());
    const auto again = log->append(Batch(names(2, 3)).records);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->repeated, 3U);
  }
  files.crash();
  EXPECT_EQ(payloads(*open(files, folder.path())), names(0, 5));
}

// What is acknowledged, in a model: id -> sequence. Batches are there as a whole.
struct Model {
  std::map<std::string, std::uint64_t> acknowledged;
  std::vector<std::vector<std::string>> batches;
};

// Opens and appends until a call fails; true when nothing failed.
bool work(FileSystem& files, const std::string& folder, std::size_t batches, Model& model) {
  EventLogOptions options = small_segments();
  auto opened = open_file_log(files, folder, options);
  if (!opened.ok()) return false;
  for (std::size_t i = 0; i < batches; ++i) {
    const std::size_t start = model.batches.size() * 20;
    model.batches.push_back(names(start, 20));
    const Batch batch(model.batches.back());
    if (i % 4 == 3) {  // just before a segment ends
      if (!(*opened)->append_unsynced(batch.records).ok()) return false;
      continue;
    }
    const auto appended = (*opened)->append(batch.records);
    if (!appended.ok()) return false;
    std::uint64_t sequence = appended->last_sequence - 19;
    for (const std::string& id : batch.ids) model.acknowledged[id] = sequence++;
  }
  return (*opened)->sync().ok();
}

void verify(const std::string& folder, const Model& model, FileSystem& files) {
  const auto log = open(files, folder, small_segments());
  ASSERT_NE(log, nullptr);
  std::map<std::string, std::uint64_t> found;
  std::uint64_t sequence = 0;
  for (const std::string& id : payloads(*log))
    ASSERT_TRUE(found.emplace(id, ++sequence).second) << id << " is there twice";
  for (const auto& entry : model.acknowledged) {
    ASSERT_TRUE(found.contains(entry.first)) << entry.first << " is lost";
    ASSERT_EQ(found[entry.first], entry.second);
  }
  for (const auto& batch : model.batches) {
    const bool whole = found.contains(batch[0]);
    for (const std::string& id : batch) ASSERT_EQ(found.contains(id), whole) << id;
  }
}

// A power cut after every single call, with none, some or all of the unsynced bytes on the disk.
TEST(FileEventLog, SurvivesACrashAtEveryCall) {
  std::uint64_t calls = 0;
  {
    const TempFolder folder;
    FaultFiles files;
    Model model;
    ASSERT_TRUE(work(files, folder.path(), 12, model));
    calls = files.calls();
  }
  EXPECT_GT(calls, 30U);
  for (std::uint64_t at = 1; at <= calls; ++at)
    for (const std::uint64_t kept : {0, 100, 1'000'000}) {
      SCOPED_TRACE("call " + std::to_string(at) + ", kept " + std::to_string(kept));
      const TempFolder folder;
      FaultFiles files;
      Model model;
      files.fail_call(at, Error{Code::kIo, "power cut"}, FaultFiles::kUnlimited, kept / 2);
      EXPECT_FALSE(work(files, folder.path(), 12, model));
      files.crash(kept);
      verify(folder.path(), model, files);
      EXPECT_TRUE(work(files, folder.path(), 3, model));
      files.crash();
      verify(folder.path(), model, files);
      if (::testing::Test::HasFatalFailure()) return;
    }
}

EventLogOptions interval(int milliseconds) {
  EventLogOptions options = small_segments();
  options.durability = "interval";
  options.interval_ms = milliseconds;
  return options;
}

// At a power cut what was not synced yet is gone, from the end on; nothing else is.
TEST(FileEventLog, AnIntervalLosesItsTailAtMost) {
  for (const std::uint64_t kept : {0, 70, 1'000'000}) {
    SCOPED_TRACE(kept);
    const TempFolder folder;
    FaultFiles files;
    auto log = open(files, folder.path(), interval(60'000));
    ASSERT_TRUE(add(*log, names(0, 3)).ok());
    ASSERT_TRUE(log->sync().ok());
    EXPECT_EQ(log->last_sequence(), 3U);
    for (std::size_t i = 3; i < 30; i += 3) ASSERT_TRUE(add(*log, names(i, 3)).ok());
    files.crash(kept);
    log.reset();
    log = open(files, folder.path(), interval(60'000));
    const auto left = payloads(*log);
    EXPECT_GE(left.size(), 3U);
    EXPECT_EQ(left, names(0, left.size()));
    EXPECT_EQ(left.size() == 30U, kept == 1'000'000);
    ASSERT_TRUE(add(*log, names(100, 2)).ok());
    ASSERT_TRUE(log->sync().ok());
    EXPECT_EQ(payloads(*log).size(), left.size() + 2);
  }
}

TEST(FileEventLog, AnIntervalSyncsByItself) {
  const TempFolder folder;
  FaultFiles files;
  const auto log = open(files, folder.path(), interval(1));
  ASSERT_TRUE(add(*log, names(0, 5)).ok());
  for (int i = 0; i < 5000 && log->last_sequence() < 5; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(log->last_sequence(), 5U);
  files.fail_call(1, Error{Code::kIo, "gone"}, FaultFiles::kUnlimited);
  Status refused;
  for (int i = 0; i < 5000 && refused.ok(); ++i) {
    refused = add(*log, names(10, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_FALSE(refused.ok()) << "a sync that failed in the background is told";
  EXPECT_EQ(payloads(*log).size(), 5U) << "reading goes on";
}

// A disk of which every n-th call fails: errors come back as errors, and what was acknowledged
// stays.
TEST(FileEventLog, SurvivesADiskThatFailsNowAndThen) {
  for (std::uint64_t every = 2; every < 12; ++every) {
    SCOPED_TRACE(every);
    const TempFolder folder;
    FaultFiles files;
    Model model;
    for (int round = 0; round < 20; ++round) {
      files.fail_call(every + static_cast<std::uint64_t>(round) % 3,
                      Error{round % 2 ? Code::kIo : Code::kExhausted, "sick"}, 1, 50);
      (void)work(files, folder.path(), 4, model);
    }
    files.fail_call(0, {});
    verify(folder.path(), model, files);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(FileEventLog, BadFilesAreErrors) {
  const std::string bad[] = {std::string(100, '\0'), "VTRLOG\r\n" + std::string(60, 'x'),
                             std::string(5000, 'A')};
  for (const std::string& bytes : bad) {
    const TempFolder folder;  // of the lock
    MemoryFiles files;
    files.put(folder.path() + "/" + segment_name(1), bytes);
    const auto log = open_file_log(files, folder.path(), {});
    ASSERT_FALSE(log.ok());
    EXPECT_NE(log.error().message.find(segment_name(1)), std::string::npos);
  }
}

TEST(FileEventLog, ABatchThatIsTooLargeIsRefused) {
  const TempFolder folder;
  const auto log = open(real_files(), folder.path());
  const std::string big(40 << 20, 'x');
  const std::vector<NewRecord> records(2, {RecordKind::kItem, "", as_bytes(big)});
  const auto appended = log->append(records);
  ASSERT_FALSE(appended.ok());
  EXPECT_EQ(appended.error().code, Code::kExhausted);
  EXPECT_EQ(log->last_sequence(), 0U);
}

}  // namespace
}  // namespace vitrine
