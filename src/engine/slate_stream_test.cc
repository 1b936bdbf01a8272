#include "engine/slate_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/json.h"
#include "engine/engine_testing.h"
#include "engine/limits.h"
#include "engine/slate_record.h"

namespace vitrine {
namespace {

std::string all_of(const std::string& folder) {
  std::string text;
  for (const std::string& name : must(real_files().list(folder))) {
    text += must(read_file(real_files(), folder + "/" + name));
  }
  return text;
}

TEST(SlateStream, EveryLineIsLoggedOrCounted) {
  TempFolder folder;
  std::uint64_t logged = 0, dropped = 0;
  constexpr std::uint64_t kThreads = 4, kEach = 5'000;
  {
    SlateStream stream(unsynced_files(), folder.file("slates"));
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t i = 0; i < kEach; ++i) stream.add("{}");
      });
    }
    for (std::thread& thread : threads) thread.join();
    stream.flush();
    logged = stream.logged();
    dropped = stream.dropped();
    stream.add("{\"last\":1}");
  }
  EXPECT_EQ(logged + dropped, kThreads * kEach);
  const std::string text = all_of(folder.file("slates"));
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')), logged + 1);
  EXPECT_EQ(text.substr(text.size() - 11), "{\"last\":1}\n") << "stopping writes what is queued";
}

// A file system that is full as long as it is told to be.
class FullFiles final : public UnsyncedFiles {
 public:
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    if (full) return Error{Code::kExhausted, path + ": no space left on device"};
    return UnsyncedFiles::append_to(path);
  }
  std::atomic<bool> full{true};
};

TEST(SlateStream, AFullDiskCostsSlatesAndNothingElse) {
  TempFolder folder;
  FullFiles files;
  SlateStream stream(files, folder.file("slates"));
  stream.add("{}");
  stream.flush();
  EXPECT_EQ(stream.dropped(), 1u);
  files.full = false;
  stream.add("{}");
  stream.flush();
  EXPECT_EQ(stream.logged(), 1u);
}

TEST(SlateStream, AClockThatWasSetBackLosesNothing) {
  TempFolder folder;
  std::string expected;
  for (std::size_t i = 0; i < kSlateFilesMax + 3; ++i) {
    const TimeOfDay clock = i == 0 ? TimeOfDay([]() -> Timestamp { return 2'000'000'000'000; })
                                   : TimeOfDay([]() -> Timestamp { return 1'600'000'000'000; });
    SlateStream stream(unsynced_files(), folder.file("slates"), clock);
    stream.add(std::to_string(i));
    if (i >= 3) expected += std::to_string(i) + "\n";
  }
  EXPECT_EQ(all_of(folder.file("slates")), expected) << "the oldest files went";
}

TEST(SlateRecord, IsJsonWhateverTheTextsHold) {
  Answer answer;
  answer.slate_id = "0123456789abcdef";
  answer.degraded = "quote \" backslash \\ tab \t";
  AnsweredItem item;
  item.id = "naïve \"id\"";
  item.score = 0.25;
  answer.items = {item, item};
  RecommendRequest request;
  request.user = "u\\1";
  const Value record = must(parse_json(slate_record(answer, request, kShopOpens)));
  const Table& table = *record.as_table();
  EXPECT_EQ(*table.find("user")->as_string(), request.user);
  EXPECT_EQ(*table.find("degraded")->as_string(), answer.degraded);
  const Table& second = *(*table.find("items")->as_list())[1].as_table();
  EXPECT_EQ(*second.find("item")->as_string(), item.id);
  EXPECT_EQ(*second.find("position")->as_int(), 2);
  EXPECT_EQ(second.find("score")->number(), 0.25);
}

}  // namespace
}  // namespace vitrine
