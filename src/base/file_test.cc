#include "base/file.h"

#include <gtest/gtest.h>

#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

TEST(Files, WriteReadMapTruncateList) {
  FileSystem& files = real_files();
  const TempFolder temp;
  const std::string folder = temp.path() + "/a/b";
  ASSERT_TRUE(files.make_folder(folder).ok());
  ASSERT_TRUE(files.make_folder(folder).ok());
  const std::string path = folder + "/x";
  {
    auto file = files.create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value()->append(as_bytes("hello ")).ok());
    ASSERT_TRUE(file.value()->append({}).ok());
    ASSERT_TRUE(file.value()->sync().ok());
  }
  auto more = files.append_to(path);
  ASSERT_TRUE(more.value()->append(as_bytes("world")).ok());
  EXPECT_EQ(read_file(files, path).value(), "hello world");
  auto map = files.map(path).value();
  EXPECT_EQ(as_text(map->bytes()), "hello world");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(map->bytes().data()) % 64, 0U);
  map.reset();
  ASSERT_TRUE(files.truncate(path, 4).ok());
  EXPECT_EQ(read_file(files, path).value(), "hell");
  ASSERT_TRUE(write_file_atomically(files, folder + "/a", "1").ok());
  ASSERT_TRUE(files.rename(path, folder + "/c").ok());
  EXPECT_EQ(files.list(folder).value(), (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(file_exists(files, folder + "/c"));
  EXPECT_FALSE(file_exists(files, path));
  EXPECT_FALSE(file_exists(files, folder));
  ASSERT_TRUE(files.remove(folder + "/c").ok());
  EXPECT_TRUE(files.remove(folder + "/c").ok());
  EXPECT_TRUE(files.sync_folder(folder).ok());
  EXPECT_EQ(files.remove(folder).error().code, Code::kIo);
  ASSERT_TRUE(files.remove(folder + "/a").ok());
  EXPECT_TRUE(files.remove(folder).ok());
  EXPECT_FALSE(files.list(folder).ok());
}

TEST(Files, AnEmptyFileMapsToNothing) {
  const TempFolder temp;
  ASSERT_TRUE(write_file_atomically(real_files(), temp.path() + "/empty", "").ok());
  EXPECT_TRUE(real_files().map(temp.path() + "/empty").value()->bytes().empty());
}

TEST(Files, ErrorsNamePathAndReason) {
  FileSystem& files = real_files();
  const TempFolder temp;
  const std::string absent = temp.path() + "/absent/file";
  const auto missing = read_file(files, absent);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().message, absent + ": cannot open: No such file or directory");
  EXPECT_EQ(files.create(absent).error().code, Code::kNotFound);
  EXPECT_EQ(files.map(absent).error().code, Code::kNotFound);
  EXPECT_EQ(files.list(absent).error().code, Code::kNotFound);
  EXPECT_EQ(files.truncate(absent, 0).error().code, Code::kNotFound);
  EXPECT_EQ(files.rename(absent, absent + "2").error().code, Code::kNotFound);
  EXPECT_EQ(files.sync_folder(absent).error().code, Code::kNotFound);
  EXPECT_EQ(files.map(temp.path()).error().code, Code::kIo);
  EXPECT_FALSE(read_file(files, temp.path()).ok());
  ASSERT_TRUE(write_file_atomically(files, temp.path() + "/file", "1").ok());
  EXPECT_EQ(files.make_folder(temp.path() + "/file").error().code, Code::kExists);
  EXPECT_EQ(files.make_folder(temp.path() + "/file/x").error().code, Code::kNotFound);
}

TEST(Files, AFullDiskIsExhausted) {
  auto full = real_files().append_to("/dev/full");
  if (!full.ok()) GTEST_SKIP() << "NOT TESTED: a full disk; /dev/full is missing";
  const Status written = full.value()->append(as_bytes("x"));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::kExhausted);
  EXPECT_EQ(written.error().message, "/dev/full: cannot write: No space left on device");
}

TEST(Files, FolderOf) {
  EXPECT_EQ(folder_of("a/b"), "a");
  EXPECT_EQ(folder_of("b"), ".");
  EXPECT_EQ(folder_of("/b"), "/");
  EXPECT_EQ(folder_of("/a/b/c"), "/a/b");
}

// Whatever call fails, and whatever a crash then drops: the old bytes or the new ones.
TEST(Files, AtomicWritesAreOldOrNewAfterAnyFault) {
  for (std::uint64_t call = 1; call <= 6; ++call) {
    for (const bool crash : {false, true}) {
      const TempFolder temp;
      const std::string path = temp.path() + "/settings";
      ASSERT_TRUE(write_file_atomically(real_files(), path, "old").ok());
      FaultFiles files;
      files.fail_call(call, Error{Code::kIo, "injected"}, 1, 2);
      const Status done = write_file_atomically(files, path, "new bytes");
      EXPECT_EQ(done.ok(), call == 6) << call;
      if (crash) files.crash(1);
      const std::string now = read_file(real_files(), path).value();
      EXPECT_TRUE(now == "old" || now == "new bytes") << now;
      if (done.ok()) {
        EXPECT_EQ(now, "new bytes");
      }
      if (!crash) {
        EXPECT_EQ(real_files().list(temp.path()).value().size(), 1U) << call;
      }
    }
  }
}

TEST(FaultFiles, TheDiskIsFull) {
  const TempFolder temp;
  FaultFiles files;
  files.set_space(10);
  auto file = files.create(temp.path() + "/x").value();
  EXPECT_TRUE(file->append(as_bytes("1234567")).ok());
  const Status full = file->append(as_bytes("89abcdef"));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::kExhausted);
  EXPECT_EQ(read_file(files, temp.path() + "/x").value(), "123456789a");
  files.set_space(FaultFiles::kUnlimited);
  EXPECT_TRUE(file->append(as_bytes("b")).ok());
}

TEST(FaultFiles, ACrashDropsWhatWasNotSynced) {
  const TempFolder temp;
  const std::string folder = temp.path();
  FaultFiles files;
  const auto write = [&](const std::string& name, std::string_view text, bool sync) {
    auto file = files.append_to(folder + "/" + name).value();
    ASSERT_TRUE(file->append(as_bytes(text)).ok());
    if (sync) {
      ASSERT_TRUE(file->sync().ok());
    }
  };
  write("kept", "durable", true);
  write("removed", "back again", true);
  ASSERT_TRUE(files.sync_folder(folder).ok());
  write("kept", " lost", false);
  write("nameless", "synced, but its name is not", true);
  ASSERT_TRUE(files.remove(folder + "/removed").ok());
  ASSERT_TRUE(files.rename(folder + "/nameless", folder + "/kept").ok());
  auto handle = files.append_to(folder + "/kept").value();
  files.crash();
  EXPECT_EQ(real_files().list(folder).value(), (std::vector<std::string>{"kept", "removed"}));
  EXPECT_EQ(read_file(files, folder + "/kept").value(), "durable");
  EXPECT_EQ(read_file(files, folder + "/removed").value(), "back again");
  EXPECT_FALSE(handle->append(as_bytes("x")).ok());

  write("kept", " and torn", false);
  files.crash(4);
  EXPECT_EQ(read_file(files, folder + "/kept").value(), "durable and");
  ASSERT_TRUE(files.truncate(folder + "/kept", 3).ok());
  files.crash();
  EXPECT_EQ(read_file(files, folder + "/kept").value(), "durable and");
  ASSERT_TRUE(files.truncate(folder + "/kept", 3).ok());
  write("kept", "!", true);
  files.crash();
  EXPECT_EQ(read_file(files, folder + "/kept").value(), "dur!");
}

void check_renames_of_folders(FileSystem& under, const std::string& root) {
  FaultFiles files(under);
  const auto build = [&](bool sync) {
    ASSERT_TRUE(files.make_folder(root + "/new").ok());
    auto file = files.create(root + "/new/x").value();
    ASSERT_TRUE(file->append(as_bytes("1")).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(files.sync_folder(root + "/new").ok());
    ASSERT_TRUE(files.rename(root + "/new", root + "/live").ok());
    if (sync) {
      ASSERT_TRUE(files.sync_folder(root).ok());
    }
    files.crash();
  };
  build(false);
  EXPECT_EQ(read_file(files, root + "/new/x").value(), "1");
  build(true);
  EXPECT_EQ(under.list(root).value(), std::vector<std::string>{"live"});
  EXPECT_EQ(read_file(files, root + "/live/x").value(), "1");
}

TEST(FaultFiles, ACrashUndoesTheRenameOfAFolder) {
  const TempFolder temp;
  check_renames_of_folders(real_files(), temp.path());
  MemoryFiles memory;
  check_renames_of_folders(memory, ".");
}

}  // namespace
}  // namespace vitrine
