// The project's files as text, for the tidy test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vitrine::tidy {

using Lines = std::vector<std::string>;

Lines split_lines(std::string_view text);
// The same text with comments and what stands between quotes blanked; lines and columns stay.
std::string code_of(std::string_view text);

struct File {
  std::string path;  // from the root of the project
  std::string text;
  Lines lines;  // as they are
  Lines code;   // without comments and strings

  File(std::string path_from_root, std::string whole_text);
  bool ends_with(std::string_view end) const { return path.ends_with(end); }
  bool is_test() const { return ends_with("_test.cc") || ends_with("_testing.h"); }
  std::string module() const;  // "eval" of "src/eval/metrics.h"; empty outside src/
  std::string name() const { return path.substr(path.rfind('/') + 1); }
  std::string folder() const { return path.substr(0, path.rfind('/')); }
};

// All text files of the project, by path; build folders and what tools fetch are left out.
const std::vector<File>& tree();
// Those among them that are C++ of ours: src, tests, fuzz, bench.
std::vector<const File*> sources();

// What stands between the quotes or the brackets of an #include; empty for any other line.
std::string included(const std::string& line, bool quoted);

bool is_word(char c);
// Position of `word` where it is not part of a longer one, or npos.
std::size_t find_word(std::string_view line, std::string_view word);
inline bool has_word(std::string_view line, std::string_view word) {
  return find_word(line, word) != std::string_view::npos;
}

// The bodies of the functions at namespace and class scope of code_of() lines.
struct Function {
  std::size_t first, last;  // lines from 1, braces included
};
std::vector<Function> functions(const Lines& code);

}  // namespace vitrine::tidy
