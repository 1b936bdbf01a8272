#include "eval/trec.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

namespace vitrine {
namespace {

EvaluatedLists two_cases() {
  EvaluatedLists lists;
  lists.cases = {0, 3};
  lists.truth = {{ItemIndex{1}, ItemIndex{2}}, {ItemIndex{0}}};
  lists.lists.reset(2, 3);
  lists.lists.room(0)[0] = {ItemIndex{2}, 0.5f};
  lists.lists.room(0)[1] = {ItemIndex{0}, 0.5f};  // a tie of the model's is none of the file's
  lists.lists.set_count(0, 2);
  return lists;
}

class TrecTest : public testing::Test {
 protected:
  TrecTest() { std::filesystem::create_directories(folder_); }
  ~TrecTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("trec_test_" + std::to_string(::getpid()));
  CaseName case_name_ = [](std::size_t c) { return "user " + std::to_string(c); };
  ItemName item_name_ = [](ItemIndex i) {
    return std::vector<std::string>{"red\tmug", "blå", "100%"}[raw(i)];
  };
};

TEST_F(TrecTest, WritesWhatToolsRead) {
  const EvaluatedLists lists = two_cases();
  ASSERT_TRUE(write_qrels(real_files(), path("q"), lists, case_name_, item_name_).ok());
  EXPECT_EQ(read_file(real_files(), path("q")).value(),
            "user%200 0 blå 1\nuser%200 0 100%25 1\nuser%203 0 red%09mug 1\n");
  ASSERT_TRUE(write_run(real_files(), path("r"), lists, case_name_, item_name_, "my model").ok());
  EXPECT_EQ(read_file(real_files(), path("r")).value(),
            "user%200 Q0 100%25 1 3 my%20model\nuser%200 Q0 red%09mug 2 2 my%20model\n");
}

TEST_F(TrecTest, MissingFolderIsNamed) {
  const Status failed =
      write_qrels(real_files(), path("no/such/place"), two_cases(), case_name_, item_name_);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("no/such/place"), std::string::npos);
}

}  // namespace
}  // namespace vitrine
