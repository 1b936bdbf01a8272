// Runs tests/cli/*.test: what a person types and what they must see. A file's format:
//
//   # free text
//   --- file NAME          a file in the case's own empty folder; its lines follow, until "---" or
//   "$" $ vitrine import ...   a line for the shell, in that folder, with `vitrine` on the PATH
//   exit 1                 the exit status (0 when the line is absent)
//   out contains TEXT      standard output; also `out lacks TEXT`, `err contains TEXT`, `err lacks
//   TEXT`
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vitrine {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class CliCase : public testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("vitrine-cli-" + GetParam().stem().string());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void run(const std::string& command) {
    const std::string line = "cd '" + folder_.string() +
                             "' && PATH='" VITRINE_BINARY_DIR "':\"$PATH\" && export PATH && { " +
                             command + "\n} >.out 2>.err </dev/null";
    const int status = std::system(line.c_str());  // NOLINT: the tests' own text
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    out_ = slurp(folder_ / ".out");
    err_ = slurp(folder_ / ".err");
    command_ = command;
    exit_checked_ = false;
  }

  void finish_command() {
    if (!command_.empty() && !exit_checked_) expect_exit(0);
  }

  void expect_exit(int wanted) {
    EXPECT_EQ(exit_, wanted) << where() << "$ " << command_ << "\nout:\n"
                             << out_ << "err:\n"
                             << err_;
    exit_checked_ = true;
  }

  void expect(const std::string& line) {
    const std::string& text = line.starts_with("out") ? out_ : err_;
    const bool contains = line.substr(4).starts_with("contains ");
    const std::string needle = line.substr(contains ? 13 : 10);
    EXPECT_EQ(text.find(needle) != std::string::npos, contains)
        << where() << "$ " << command_ << "\n"
        << line << "\nout:\n"
        << out_ << "err:\n"
        << err_;
  }

  std::string where() const {
    return GetParam().filename().string() + ":" + std::to_string(line_) + ": ";
  }

  fs::path folder_;
  int line_ = 0, exit_ = 0;
  bool exit_checked_ = true;
  std::string command_, out_, err_;
};

TEST_P(CliCase, DoesWhatItSays) {
  std::ifstream in(GetParam());
  std::ofstream file;
  std::string line;
  while (std::getline(in, line)) {
    ++line_;
    if (line.starts_with("--- file ")) {
      file.close();
      file.open(folder_ / line.substr(9), std::ios::binary);
    } else if (line == "---") {
      file.close();
    } else if (line.starts_with("$ ")) {
      file.close();
      finish_command();
      run(line.substr(2));
    } else if (file.is_open()) {
      file << line << '\n';
    } else if (line.starts_with("exit ")) {
      expect_exit(std::atoi(line.c_str() + 5));
    } else if (line.starts_with("out ") || line.starts_with("err ")) {
      expect(line);
    } else if (!line.empty() && !line.starts_with("#")) {
      FAIL() << where() << "cannot read: " << line;
    }
  }
  finish_command();
}

std::vector<fs::path> cases() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(VITRINE_SOURCE_DIR "/tests/cli")) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Cli, CliCase, testing::ValuesIn(cases()), [](const auto& param) {
  std::string name = param.param.stem().string();
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace vitrine
