#include "base/archive.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

enum class Item : std::uint32_t {};

class ArchiveTest : public testing::Test {
 protected:
  // A small archive with one entry of each sort.
  void write_small() {
    ArchiveWriter writer(files_, path_, "test");
    const std::vector<float> weights = {1.5F, -2.0F, std::numeric_limits<float>::infinity()};
    const std::vector<std::string> ids = {"a", "", std::string("\xFF\0z", 3)};
    writer.enter("model");
    writer.tensor("weights", weights, {3, 1});
    writer.document("settings", Table{{"k", 7}, {"name", "als"}});
    writer.leave();
    writer.strings("ids", ids);
    writer.tensor("nothing", Array<double>());
    const Status done = writer.finish();
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  Result<std::unique_ptr<ArchiveReader>> open(std::string_view kind = "test") {
    return ArchiveReader::open(files_, path_, kind);
  }

  void expect_corrupt(const std::string& bytes, const std::string& what) {
    files_.put(path_, bytes);
    const auto opened = open();
    ASSERT_FALSE(opened.ok()) << what;
    EXPECT_EQ(opened.error().code, Code::kCorrupt) << what << ": " << opened.error().message;
    EXPECT_NE(opened.error().message.find(path_), std::string::npos);
    EXPECT_NE(opened.error().message.find("restore"), std::string::npos);
  }

  MemoryFiles files_;
  const std::string path_ = "./small.vtr";
};

TEST_F(ArchiveTest, HoldsWhatWasWritten) {
  write_small();
  auto opened = open();
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  ArchiveReader& reader = **opened;
  EXPECT_EQ(reader.names(),
            (std::vector<std::string>{"ids", "model/settings", "model/weights", "nothing"}));
  EXPECT_EQ(reader.strings("ids").value(),
            (std::vector<std::string>{"a", "", std::string("\xFF\0z", 3)}));
  EXPECT_TRUE(reader.tensor<double>("nothing").value().empty());
  reader.enter("model");
  EXPECT_EQ(reader.names(), (std::vector<std::string>{"settings", "weights"}));
  EXPECT_TRUE(reader.has("weights"));
  EXPECT_FALSE(reader.has("ids"));
  EXPECT_EQ(reader.shape("weights").value(), (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(*reader.document("settings").value().as_table()->find("k"), Value(7));
  const Array<float> weights = reader.tensor<float>("weights").value();
  opened.value().reset();  // the array keeps the mapping
  ASSERT_EQ(weights.size(), 3U);
  EXPECT_EQ(weights[1], -2.0F);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(weights.data()) % 64, 0U);
}

TEST_F(ArchiveTest, TheSameContentIsTheSameBytes) {
  write_small();
  const std::string first = read_file(files_, path_).value();
  write_small();
  EXPECT_EQ(read_file(files_, path_).value(), first);
  EXPECT_EQ(files_.list(".").value().size(), 1U);
}

TEST_F(ArchiveTest, EveryTruncationIsFound) {
  write_small();
  const std::string whole = read_file(files_, path_).value();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_corrupt(whole.substr(0, length), "cut to " + std::to_string(length));
  }
  expect_corrupt(whole + '\0', "one byte more");
}

TEST_F(ArchiveTest, EveryFlippedBitIsFound) {
  write_small();
  const std::string whole = read_file(files_, path_).value();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    expect_corrupt(flipped, "bit " + std::to_string(bit));
  }
}

TEST_F(ArchiveTest, MistakesHaveTheirOwnErrors) {
  EXPECT_EQ(open().error().code, Code::kNotFound);
  write_small();
  const auto other = open("other");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Code::kInvalid);
  EXPECT_EQ(other.error().message, path_ + ": is an archive of kind 'test', expected 'other'");
  const auto reader = std::move(open().value());
  EXPECT_EQ(reader->tensor<float>("weights").error().code, Code::kCorrupt);  // outside its scope
  EXPECT_EQ(reader->tensor<double>("model/weights").error().code, Code::kCorrupt);
  EXPECT_EQ(reader->document("ids").error().code, Code::kCorrupt);
  EXPECT_EQ(reader->strings("model/settings").error().code, Code::kCorrupt);
  EXPECT_EQ(reader->shape("absent").error().code, Code::kCorrupt);
}

TEST_F(ArchiveTest, TheFirstFailureOfAWriterSticks) {
  const std::vector<float> values(6);
  const auto fails = [&](const auto& fill) {
    ArchiveWriter writer(files_, path_, "test");
    fill(writer);
    writer.tensor("fine", values);
    const Status done = writer.finish();
    return !done.ok() && done.error().code == Code::kInternal && files_.list(".").value().empty();
  };
  EXPECT_TRUE(fails([&](ArchiveWriter& w) { w.tensor("x", values, {2, 2}); }));
  EXPECT_TRUE(fails([&](ArchiveWriter& w) { w.tensor("x", values, {-2, -3}); }));
  EXPECT_TRUE(fails([&](ArchiveWriter& w) { w.tensor("fine", values, {6}); }));
  EXPECT_TRUE(fails([&](ArchiveWriter& w) { w.tensor("", values); }));
  EXPECT_TRUE(fails([&](ArchiveWriter& w) { w.tensor(std::string(1025, 'x'), values); }));
  EXPECT_TRUE(fails([&](ArchiveWriter& w) {
    Value deep;
    for (int i = 0; i < 40; ++i) deep = List{deep};
    w.document("deep", deep);
  }));
}

TEST_F(ArchiveTest, AWriterThatIsDroppedLeavesNothing) {
  {
    ArchiveWriter writer(files_, path_, "test");
    writer.tensor("x", std::vector<float>(100000));
  }
  EXPECT_TRUE(files_.list(".").value().empty());
}

void write_large(FileSystem& where, const std::string& path, int seed, Status& done) {
  ArchiveWriter writer(where, path, "test");
  writer.tensor("a", std::vector<std::int32_t>(100, seed));
  writer.tensor("b", std::vector<std::int32_t>(100000, seed));
  done = writer.finish();
}

TEST_F(ArchiveTest, AFullDiskLeavesNoFileBehind) {
  Status done;
  write_large(files_, path_, 1, done);
  const std::uint64_t size = read_file(files_, path_).value().size();
  ASSERT_TRUE(files_.remove(path_).ok());
  for (const std::uint64_t space : {std::uint64_t{0}, size / 3, size / 2, size - 60, size - 1}) {
    FaultFiles faulty(files_);
    faulty.set_space(space);
    write_large(faulty, path_, 1, done);
    ASSERT_FALSE(done.ok()) << space;
    EXPECT_EQ(done.error().code, Code::kExhausted);
    EXPECT_TRUE(files_.list(".").value().empty()) << space;
  }
}

TEST_F(ArchiveTest, OnRealFiles) {
  const TempFolder temp;
  const std::string path = temp.path() + "/real.vtr";
  Status done;
  write_large(real_files(), path, 3, done);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(real_files().list(temp.path()).value(), std::vector<std::string>{"real.vtr"});
  auto reader = ArchiveReader::open(real_files(), path, "test");
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ((*reader)->tensor<std::int32_t>("b").value()[99999], 3);
}

// Whatever call fails, whatever is lost then: the archive is the old or the new one, whole.
TEST_F(ArchiveTest, FaultsAndCrashesLeaveTheOldOrTheNewArchive) {
  Status done;
  write_large(files_, path_, 1, done);
  ASSERT_TRUE(done.ok());
  bool reached_the_end = false;
  for (std::uint64_t call = 1; !reached_the_end; ++call) {
    ASSERT_LT(call, 100U);
    FaultFiles faulty(files_);
    faulty.fail_call(call, Error{Code::kIo, "injected"}, 1, 7);
    const int seed = static_cast<int>(call) + 1;
    write_large(faulty, path_, seed, done);
    reached_the_end = done.ok();
    faulty.crash(call);
    const auto reader = open();
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    const auto a = (*reader)->tensor<std::int32_t>("a").value();
    const auto b = (*reader)->tensor<std::int32_t>("b").value();
    EXPECT_EQ(a[0], b[99999]);
    EXPECT_TRUE(done.ok() ? a[0] == seed : a[0] == 1) << a[0];
  }
}

template <class T>
void check_round_trip(FileSystem& files, const std::string& path) {
  const auto values = *rc::gen::arbitrary<std::vector<T>>();
  const auto rows = static_cast<std::int64_t>(values.size());
  const auto texts = *rc::gen::arbitrary<std::vector<std::string>>();
  const auto name = *rc::gen::nonEmpty(rc::gen::string<std::string>());
  ArchiveWriter writer(files, path, "round trip");
  writer.enter(name);
  writer.tensor("values", values, {1, rows, 1});
  writer.strings("texts", texts);
  writer.leave();
  RC_ASSERT(writer.finish().ok());
  auto reader = std::move(ArchiveReader::open(files, path, "round trip").value());
  const auto read = reader->tensor<T>(name + "/values").value();
  RC_ASSERT(read.size() == values.size());
  const auto bytes = std::as_bytes(std::span(values));
  RC_ASSERT(as_text(std::as_bytes(read.span())) == as_text(bytes));
  reader->enter(name);
  RC_ASSERT(reader->strings("texts").value() == texts);
}

TEST_F(ArchiveTest, RoundTripOfAnything) {
  EXPECT_TRUE(rc::check([&] { check_round_trip<std::uint8_t>(files_, path_); }));
  EXPECT_TRUE(rc::check([&] { check_round_trip<std::uint16_t>(files_, path_); }));
  EXPECT_TRUE(rc::check([&] { check_round_trip<std::int64_t>(files_, path_); }));
  EXPECT_TRUE(rc::check([&] { check_round_trip<double>(files_, path_); }));
}

TEST_F(ArchiveTest, EnumsAreTheirNumbers) {
  ArchiveWriter writer(files_, path_, "test");
  const std::vector<Item> items = {Item{3}, Item{1}};
  writer.tensor("items", items);
  ASSERT_TRUE(writer.finish().ok());
  const auto reader = std::move(open().value());
  EXPECT_EQ(reader->tensor<Item>("items").value()[0], Item{3});
  EXPECT_EQ(reader->tensor<std::uint32_t>("items").value()[1], 1U);
}

}  // namespace
}  // namespace vitrine
