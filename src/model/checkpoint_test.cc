#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include "tests/fault_files.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

constexpr std::string_view kMine = "mine";

Status save_number(const Checkpoint& checkpoint, int number) {
  const std::vector<float> values(100, static_cast<float>(number));
  return checkpoint.save(kMine, [&](ArchiveWriter& writer) {
    writer.document("number", number);
    writer.tensor("values", values);
  });
}

// What it holds; -1: nothing of use.
int number_of(const Checkpoint& checkpoint, std::string* why = nullptr) {
  std::string said;
  const auto reader = checkpoint.open(kMine, said);
  EXPECT_TRUE(reader.ok()) << reader.error().message;
  if (why != nullptr) *why = said;
  if (!reader.ok() || *reader == nullptr) return -1;
  EXPECT_EQ(said, "");
  return static_cast<int>(*(*reader)->document("number")->as_int());
}

TEST(Checkpoint, IsDueSoManySecondsAfterTheFirstQuestion) {
  MemoryFiles files;
  Checkpoint checkpoint(files, "folder/fit.vta", 10);
  EXPECT_FALSE(checkpoint.due(5000)) << "the run may have done other things before";
  EXPECT_FALSE(checkpoint.due(5009));
  EXPECT_TRUE(checkpoint.due(5010));
  EXPECT_FALSE(checkpoint.due(5019));
  EXPECT_TRUE(checkpoint.due(5025));
  Checkpoint always(files, "folder/fit.vta", 0);
  EXPECT_TRUE(always.due(0));
  EXPECT_TRUE(always.due(0));
}

TEST(Checkpoint, IsReadBackUntilItIsRemoved) {
  MemoryFiles files;
  const Checkpoint checkpoint(files, "folder/fit.vta", 10);
  EXPECT_EQ(number_of(checkpoint), -1);
  EXPECT_TRUE(checkpoint.remove().ok()) << "nothing to remove";
  ASSERT_TRUE(save_number(checkpoint, 1).ok());
  ASSERT_TRUE(save_number(checkpoint, 2).ok());
  EXPECT_EQ(number_of(checkpoint), 2);
  files.put("folder/fit.vta.partial", "left by a kill");
  ASSERT_TRUE(checkpoint.remove().ok());
  EXPECT_EQ(number_of(checkpoint), -1);
  EXPECT_TRUE(files.list("folder")->empty());
}

TEST(Checkpoint, EndsAsItsOwnerWants) {
  MemoryFiles files;
  const Checkpoint removed(files, "folder/one.vta", 10);
  const Checkpoint kept(files, "folder/two.vta", 10, Checkpoint::Afterwards::kKept);
  for (const Checkpoint& checkpoint : {removed, kept, kept.of_part("member")}) {
    ASSERT_TRUE(save_number(checkpoint, 1).ok());
    EXPECT_TRUE(checkpoint.end().ok());
  }
  EXPECT_EQ(*files.list("folder"), (std::vector<std::string>{"two.member.vta", "two.vta"}));
}

TEST(Checkpoint, OfAnotherFitIsOfNoUse) {
  MemoryFiles files;
  const Checkpoint checkpoint(files, "folder/fit.vta", 10);
  ASSERT_TRUE(save_number(checkpoint, 1).ok());
  std::string why;
  EXPECT_EQ(*checkpoint.open("other", why), nullptr);
  EXPECT_EQ(why, "folder/fit.vta is of another fit (other data, settings or seed)");
  ArchiveWriter writer(files, "folder/fit.vta", "snapshot");
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(number_of(checkpoint, &why), -1);
  EXPECT_NE(why.find("folder/fit.vta is of no use"), std::string::npos) << why;
}

TEST(Checkpoint, PartsHaveFilesOfTheirOwn) {
  MemoryFiles files;
  const Checkpoint whole(files, "folder.vta/fit.vta", 10);
  EXPECT_EQ(whole.of_part("als").path(), "folder.vta/fit.als.vta");
  EXPECT_EQ(whole.of_part("als").of_part("b").path(), "folder.vta/fit.als.b.vta");
}

TEST(Checkpoint, DamageOfAnyKindIsFound) {
  MemoryFiles files;
  const Checkpoint checkpoint(files, "folder/fit.vta", 10);
  ASSERT_TRUE(save_number(checkpoint, 1).ok());
  const std::string whole = *read_file(files, checkpoint.path());
  std::string why;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    files.put(checkpoint.path(), whole.substr(0, size));
    ASSERT_EQ(number_of(checkpoint, &why), -1) << size << " bytes";
    ASSERT_NE(why.find(checkpoint.path() + " is of no use"), std::string::npos) << why;
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    files.put(checkpoint.path(), damaged);
    ASSERT_EQ(number_of(checkpoint, &why), -1) << "bit " << bit;
    ASSERT_NE(why, "");
  }
  ASSERT_TRUE(save_number(checkpoint, 2).ok()) << "the next one takes its place";
  EXPECT_EQ(number_of(checkpoint), 2);
}

TEST(Checkpoint, AFailingDiskLeavesTheOldOne) {
  MemoryFiles memory;
  FaultFiles files(memory);
  const Checkpoint checkpoint(files, "folder/fit.vta", 10);
  ASSERT_TRUE(save_number(checkpoint, 1).ok());
  const std::uint64_t before = files.calls();
  ASSERT_TRUE(save_number(checkpoint, 1).ok());
  const std::uint64_t calls = files.calls() - before;
  for (std::uint64_t n = 1; n <= calls; ++n) {
    files.fail_call(n, Error{Code::kIo, "injected"});
    const Status saved = save_number(checkpoint, 2);
    ASSERT_FALSE(saved.ok()) << n;
    EXPECT_EQ(saved.error().code, Code::kIo);
    EXPECT_NE(saved.error().message.find("folder"), std::string::npos) << saved.error().message;
    // The last call makes the new name durable: the new one has taken its place by then.
    EXPECT_EQ(number_of(checkpoint), n < calls ? 1 : 2) << n << " of " << calls;
  }
  ASSERT_TRUE(save_number(checkpoint, 3).ok());
  const std::size_t size = read_file(files, checkpoint.path())->size();
  for (std::uint64_t space = 0; space < size; space += 60) {
    files.set_space(space);
    const Status saved = save_number(checkpoint, 4);
    EXPECT_EQ(saved.error().code, Code::kExhausted);
    EXPECT_NE(saved.error().message.find(checkpoint.path()), std::string::npos);
    EXPECT_EQ(number_of(checkpoint), 3);
  }
}

}  // namespace
}  // namespace vitrine
