// The rules of the house, read off the tree: ARCHITECTURE.md says why, each failure says where and
// what to do. What is checked is text, not meaning: a rule that a line breaks for a good reason is
// changed here, in the open.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy_tree.h"

namespace vitrine::tidy {
namespace {

constexpr std::size_t kColumnsMax = 100, kFileLinesMax = 600, kFunctionLinesMax = 70;

// Modules by layer: an include may only point to a smaller number or to the module itself.
const std::map<std::string, int> kLayers = {
    {"base", 0},    {"data", 1},  {"nn", 2},   {"index", 2},  {"eval", 2},   {"store", 2},
    {"feature", 3}, {"model", 4}, {"rank", 5}, {"engine", 6}, {"server", 7}, {"cli", 8}};
constexpr int kEngineLayer = 6;

// Above everything that computes: may read clocks and the environment.
bool outer(const File& file) {
  const auto layer = kLayers.find(file.module());
  return layer == kLayers.end() || layer->second >= kEngineLayer;
}

// ---- what is wrong
// ----------------------------------------------------------------------------------

struct Fault {
  std::size_t line;  // from 1
  std::string remedy;
};
using Faults = std::vector<Fault>;
using Check = std::function<Faults(const File&)>;

void expect_none(const Check& check) {
  for (const File* file : sources()) {
    for (const Fault& fault : check(*file)) {
      ADD_FAILURE_AT(file->path.c_str(), static_cast<int>(fault.line)) << fault.remedy;
    }
  }
}

// Faults of every line of `lines` that holds one of `words`.
Faults with_words(const Lines& lines, const std::vector<std::string>& words,
                  const std::string& remedy) {
  Faults faults;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const std::string& word : words) {
      if (has_word(lines[i], word)) faults.push_back({i + 1, word + ": " + remedy});
    }
  }
  return faults;
}

Faults wrong_arrows(const File& file) {
  Faults faults;
  const std::string from = file.module();
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string path = included(file.lines[i], true);
    if (path.empty()) continue;
    const std::string to = path.substr(0, path.find('/'));
    if (kLayers.count(to) == 0) {
      const bool test_code = from.empty() || file.is_test();
      if (test_code && (to == "tests" || to == "fuzz" || to == "bench")) continue;
      faults.push_back({i + 1, "\"" + path +
                                   "\" is in no module: include from the root of src/ as "
                                   "\"module/file.h\", libraries in angle brackets"});
      continue;
    }
    if (path.ends_with("_testing.h") && file.module() != "" && !file.is_test()) {
      faults.push_back({i + 1, path + " is for tests: only *_test.cc may include it"});
    }
    if (from.empty() || from == to || kLayers.count(from) == 0) continue;
    const int above = kLayers.at(from), below = kLayers.at(to);
    if (below < above) continue;
    faults.push_back({i + 1, from + " may not include " + path + ": " +
                                 (below == above ? "modules on one layer do not know each other"
                                                 : "includes point down only") +
                                 "; move what is shared into a lower module"});
  }
  return faults;
}

Faults header_faults(const File& file) {
  if (!file.ends_with(".h")) return {};
  Faults faults;
  if (std::find(file.lines.begin(), file.lines.end(), "#pragma once") == file.lines.end()) {
    faults.push_back({1, "a header needs #pragma once"});
  }
  static const std::set<std::string> heavy = {"filesystem", "regex",   "iostream",
                                              "ranges",     "thread",  "future",
                                              "sstream",    "fstream", "Eigen"};
  static const std::set<std::string> libraries = {
      "boost", "rocksdb", "toml++", "CLI", "fmt", "rapidjson", "spdlog", "prometheus", "simdjson"};
  for (std::size_t i = 0; i < file.lines.size() && !file.module().empty() && !file.is_test(); ++i) {
    const std::string path = included(file.lines[i], false);
    const std::string library = path.substr(0, path.find_first_of("/."));
    if (heavy.count(path) + libraries.count(library) > 0) {
      faults.push_back({i + 1, "<" + path +
                                   "> is heavy: include it in the .cc file, forward-declare"
                                   " or hide it behind a State here"});
    }
    if (has_word(file.code[i], "using namespace")) {
      faults.push_back({i + 1, "no using namespace in a header: it leaks into every file above"});
    }
  }
  return faults;
}

// foo.cc and foo_test.cc include module/foo.h first, so that every header proves to be
// self-contained.
Faults first_include_faults(const File& file, const std::set<std::string>& paths) {
  if (!file.ends_with(".cc") || file.module().empty()) return {};
  std::string stem = file.path.substr(4, file.path.size() - 4 - 3);
  if (stem.ends_with("_test")) stem.resize(stem.size() - 5);
  const std::string own = stem + ".h";
  if (paths.count("src/" + own) == 0) return {};
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (!file.lines[i].starts_with("#include ")) continue;
    if (included(file.lines[i], true) == own) return {};
    return {{i + 1, "include \"" + own + "\" first: that proves it self-contained"}};
  }
  return {{1, "include \"" + own + "\" first: that proves it self-contained"}};
}

Faults size_faults(const File& file) {
  Faults faults;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto columns = std::count_if(file.lines[i].begin(), file.lines[i].end(),
                                       [](char c) { return (c & 0xc0) != 0x80; });
    if (static_cast<std::size_t>(columns) > kColumnsMax) {
      faults.push_back(
          {i + 1, std::to_string(columns) + " columns, 100 at most: run clang-format"});
    }
  }
  if (file.lines.size() > kFileLinesMax) {
    faults.push_back(
        {kFileLinesMax + 1, std::to_string(file.lines.size()) +
                                " lines, 600 at most: split the file by what it does"});
  }
  return faults;
}

// Lines of a function without the rows of the constant tables in it: a table is read by the row.
std::size_t length_without_tables(const Function& f, const Lines& code) {
  std::size_t length = 0;
  std::string table_end;  // while in a table: the line that ends it
  for (std::size_t i = f.first - 1; i < f.last; ++i) {
    const std::size_t indent = std::min(code[i].find_first_not_of(' '), code[i].size());
    if (!table_end.empty() && !code[i].starts_with(table_end)) continue;
    table_end.clear();
    ++length;
    const bool constant = code[i].compare(indent, 13, "static const ") == 0 ||
                          code[i].compare(indent, 17, "static constexpr ") == 0;
    if (constant && code[i].ends_with("= {")) table_end = std::string(indent, ' ') + "}";
  }
  return length;
}

Faults function_faults(const File& file) {
  Faults faults;
  for (const Function& f : functions(file.code)) {
    const std::size_t length = length_without_tables(f, file.code);
    if (length <= kFunctionLinesMax) continue;
    faults.push_back({f.first, "a function of " + std::to_string(length) +
                                   " lines, 70 at most: give its parts names"});
  }
  return faults;
}

// ---- words
// ------------------------------------------------------------------------------------------

Faults name_faults(const File& file) {
  static const std::vector<std::string> empty_words = {"Manager",   "Helper", "Util", "Utils",
                                                       "Processor", "Data",   "Info"};
  Faults faults;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    for (const std::string_view kind : {"class", "struct"}) {
      const std::string& line = file.code[i];
      const std::size_t at = find_word(line, kind);
      if (at == line.npos) continue;
      const std::size_t start = line.find_first_not_of(' ', at + kind.size());
      if (start == line.npos) continue;
      std::size_t end = start;
      while (end < line.size() && is_word(line[end])) ++end;
      const std::string name = line.substr(start, end - start);
      for (const std::string& word : empty_words) {
        if (!name.ends_with(word)) continue;
        faults.push_back(
            {i + 1, name + ": \"" + word + "\" says nothing; name what it is or does"});
      }
      const bool prefixed = name.size() > 2 && name[0] == 'I' && std::isupper(name[1]) != 0 &&
                            std::islower(name[2]) != 0;
      if (prefixed) faults.push_back({i + 1, name + ": interfaces have no I in front here"});
    }
  }
  for (const std::string word : {"manager", "helper", "util"}) {
    if (file.name().find(word) == std::string::npos) continue;
    faults.push_back({1, "\"" + word + "\" in a file name says nothing; name what is in it"});
  }
  return faults;
}

Faults purity_faults(const File& file) {
  Faults faults;
  const auto add = [&](const std::vector<std::string>& words, const std::string& remedy) {
    const Faults more = with_words(file.code, words, remedy);
    faults.insert(faults.end(), more.begin(), more.end());
  };
  const bool speaks = file.module() == "cli" || file.path.starts_with("src/engine/diag") ||
                      file.path == "src/base/result.cc";
  if (!speaks) {
    add({"std::cout", "std::cerr", "std::clog", "printf", "fprintf", "puts", "fputs", "fmt::print",
         "perror"},
        "only cli writes to the terminal and engine/diag to the operator; return it, or tell the"
        " monitor");
  }
  if (outer(file)) return faults;
  add({"system_clock", "steady_clock", "high_resolution_clock", "clock_gettime", "gettimeofday",
       "std::time", "std::clock", "localtime", "gmtime"},
      "nothing below engine reads a clock: take the time as an argument, or ask the monitor");
  add({"getenv", "secure_getenv", "setenv", "environ"},
      "nothing below engine reads the environment: make it an option");
  add({"random_device", "mt19937", "std::rand", "srand", "normal_distribution",
       "uniform_int_distribution"},
      "random numbers come from run.random (base/random.h): the same seed gives the same bytes");
  if (file.module() != "store" && file.path != "src/base/parallel.cc") {
    add({"std::thread", "std::jthread", "std::async", "pthread_create"},
        "nothing below engine starts threads of its own: use run.pool");
  }
  if (file.path == "src/base/blas.cc") return faults;  // OpenBLAS's buffers are the process's
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    const std::string& line = file.code[i];
    const std::size_t at = find_word(line, "static");
    if (at == line.npos || line.find_first_not_of(' ') != at) continue;
    const bool constant = has_word(line, "const") || has_word(line, "constexpr");
    if (constant || line.find('(') != line.npos || line.back() != ';') continue;
    faults.push_back({i + 1, "a mutable static: pass the state in, or make it const"});
  }
  return faults;
}

// ---- the rules, over the tree
// -------------------------------------------------------------------------

TEST(Tidy, ReadsTheTree) { EXPECT_GT(sources().size(), 30u) << VITRINE_SOURCE_DIR; }

TEST(Tidy, IncludesPointDown) { expect_none(wrong_arrows); }

TEST(Tidy, HeadersAreLightAndGuarded) { expect_none(header_faults); }

TEST(Tidy, HeadersAreSelfContained) {
  std::set<std::string> paths;
  for (const File& file : tree()) paths.insert(file.path);
  expect_none([&](const File& file) { return first_include_faults(file, paths); });
}

TEST(Tidy, LinesAndFilesAreShort) { expect_none(size_faults); }

TEST(Tidy, FunctionsFitAScreen) { expect_none(function_faults); }

TEST(Tidy, NamesSaySomething) {
  expect_none(
      [](const File& file) { return file.module().empty() ? Faults{} : name_faults(file); });
}

TEST(Tidy, NothingBelowEngineKnowsTheOutside) {
  expect_none([](const File& file) {
    return file.module().empty() || file.is_test() ? Faults{} : purity_faults(file);
  });
}

TEST(Tidy, NothingIsLeftToDo) {
  const std::vector<std::string> words = {
      "TO"
      "DO",
      "FIX"
      "ME",
      "X"
      "XX",
      "HA"
      "CK"};
  for (const File& file : tree()) {
    for (const Fault& fault : with_words(file.lines, words, "do it, or file an issue")) {
      ADD_FAILURE_AT(file.path.c_str(), static_cast<int>(fault.line)) << fault.remedy;
    }
  }
}

TEST(Tidy, NoPlaceOfOneMachine) {
  const std::vector<std::string> places = {
      "/wo"
      "rk/",
      "/tm"
      "p/",
      "/ho"
      "me/",
      "/ro"
      "ot/",
      "pypi"
      ".org",
      "pythonhosted"
      ".org",
      "npmjs"
      ".org",
      "deb.debian"
      ".org",
      "proxy.golang"
      ".org",
      "crates"
      ".io"};
  for (const File& file : tree()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& place : places) {
        const std::size_t at = file.lines[i].find(place);
        const bool longer = at != std::string::npos && at > 0 && place[0] == '/' &&
                            (is_word(file.lines[i][at - 1]) || file.lines[i][at - 1] == '.');
        if (at == std::string::npos || longer) continue;
        ADD_FAILURE_AT(file.path.c_str(), static_cast<int>(i + 1))
            << place << " is a place of one machine or a registry's host: use a relative path, a "
            << "temporary folder that was asked for, or a package's name";
      }
    }
  }
}

// Every source is listed by name in its folder's CMakeLists.txt, every header is included by
// somebody.
TEST(Tidy, NoFileIsDead) {
  std::map<std::string, const File*> lists;
  std::set<std::string> includes;
  for (const File& file : tree()) {
    if (file.name() == "CMakeLists.txt") lists[file.folder()] = &file;
    for (const std::string& line : file.lines) includes.insert(included(line, true));
  }
  expect_none([&](const File& file) -> Faults {
    if (file.ends_with(".h")) {
      const bool used = includes.count(file.path) > 0 ||
                        (!file.module().empty() && includes.count(file.path.substr(4)) > 0);
      return used ? Faults{} : Faults{{1, "nobody includes this header: remove it"}};
    }
    std::string folder = file.folder();
    while (lists.count(folder) == 0 && folder.find('/') != std::string::npos) {
      folder.resize(folder.rfind('/'));
    }
    std::string name = file.path.substr(folder.size() + 1);
    if (name.ends_with("_fuzz.cc")) name.resize(name.size() - 8);
    const bool bench = file.folder() == "bench" && name.ends_with("_bench.cc");
    if (bench) name.resize(name.size() - 9);
    if (lists.count(folder) > 0 && has_word(lists[folder]->text, name)) return {};
    return {{1, "not built: list " + name + " in " + folder + "/CMakeLists.txt, or remove it"}};
  });
}

TEST(Tidy, TheMapFitsOnePage) {
  for (const File& file : tree()) {
    if (file.path != "ARCHITECTURE.md" && file.path != "src/rank/pipeline.cc") continue;
    EXPECT_LE(file.lines.size(), 200u) << file.path << ":201: it has to be read in one sitting";
  }
}

// ---- the rules themselves
// -----------------------------------------------------------------------------

std::vector<std::size_t> lines_of(const Faults& faults) {
  std::vector<std::size_t> lines;
  for (const Fault& fault : faults) lines.push_back(fault.line);
  return lines;
}

TEST(TidyItself, SeesWrongArrows) {
  const File file("src/index/foo.cc",
                  "#include \"index/foo.h\"\n#include \"eval/metrics.h\"\n#include \"base/run.h\"\n"
                  "#include \"model/model.h\"\n#include \"foo.h\"\n#include <vector>\n"
                  "#include \"rank/rank_testing.h\"\n");
  EXPECT_EQ(lines_of(wrong_arrows(file)), (std::vector<std::size_t>{2, 4, 5, 7, 7}));
}

TEST(TidyItself, SeesCodeOnly) {
  EXPECT_EQ(code_of("a // b\n\"c{\" 'd' 1'000 /* e\n f */ R\"(g\"{)\" h"),
            "a     \n\"  \" ' ' 1'000     \n      " + std::string(8, ' ') + " h");
}

TEST(TidyItself, MeasuresFunctions) {
  const std::string text =
      "namespace a {\n"               // 1
      "struct B : C<int(int)> {\n"    // 2
      "  B() : x_{1}, y_(2) {\n"      // 3
      "    if (x) { y(); }\n"         // 4
      "  }\n"                         // 5
      "  int x_ = {}, y_;\n"          // 6
      "};\n"                          // 7
      "constexpr Row kRows[] = {\n"   // 8
      "    {1, [] { return 2; }},\n"  // 9
      "};\n"                          // 10
      "template <class T>\n"          // 11
      "Result<T> f(T a,\n"            // 12
      "            T b) {\n"          // 13
      "  for (;;) {\n"                // 14
      "  }\n"                         // 15
      "}\n"                           // 16
      "}  // namespace a\n";          // 17
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (const Function& f : functions(split_lines(code_of(text))))
    found.emplace_back(f.first, f.last);
  EXPECT_EQ(found, (std::vector<std::pair<std::size_t, std::size_t>>{{3, 3}, {3, 5}, {13, 16}}));
}

TEST(TidyItself, ReadsTablesByTheRow) {
  std::string text = "const Row& f() {\n  static const Row kRows[] = {\n";
  for (int i = 0; i < 100; ++i) text += "      {1, 2},\n";
  const std::string end = "  };\n  return kRows[0];\n}\n";
  EXPECT_TRUE(function_faults(File("src/base/foo.cc", text + end)).empty());
  for (int i = 0; i < 70; ++i) text += i == 0 ? "  };\n  call();\n" : "  call();\n";
  EXPECT_EQ(function_faults(File("src/base/foo.cc", text + "  return kRows[0];\n}\n")).size(), 1u);
}

TEST(TidyItself, SeesWordsAndNames) {
  const File names("src/base/foo.cc",
                   "class ThreadManager {};\nstruct UserData;\nclass IModel;\nclass ItemIndex;\n"
                   "enum class Info2 {};\n");
  EXPECT_EQ(lines_of(name_faults(names)), (std::vector<std::size_t>{1, 2, 3}));
  const File outside(
      "src/eval/foo.cc",
      "std::cout << 1;\n// std::cout\nauto t = steady_clock::now();\n"
      "static int count;\nstatic const int fine = 1;\nsnprintf(a);\n  printf(\"\");\n"
      "std::getenv(x);\n");
  const std::vector<std::size_t> lines = lines_of(purity_faults(outside));
  EXPECT_EQ(std::set<std::size_t>(lines.begin(), lines.end()),
            (std::set<std::size_t>{1, 3, 4, 7, 8}));
}

TEST(TidyItself, SeesHeavyHeaders) {
  const File header("src/base/foo.h",
                    "#include <regex>\n#include <fmt/format.h>\n#include <span>\n");
  EXPECT_EQ(lines_of(header_faults(header)), (std::vector<std::size_t>{1, 1, 2}));
  const std::set<std::string> paths = {"src/base/foo.h"};
  EXPECT_EQ(first_include_faults(File("src/base/foo.cc", "#include <a>\n"), paths).size(), 1u);
  EXPECT_EQ(
      first_include_faults(File("src/base/foo_test.cc", "#include \"base/foo.h\"\n"), paths).size(),
      0u);
}

}  // namespace
}  // namespace vitrine::tidy
