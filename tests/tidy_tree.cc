#include "tests/tidy_tree.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vitrine::tidy {
namespace {

namespace fs = std::filesystem;

bool skipped_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("build") || name == ".git" || name == ".venv" || name == "shop" ||
         name == "node_modules" || name == "__pycache__" || name == "dist";
}

// What a brace opens, by the text since the last brace or semicolon.
enum class Brace { kScope, kFunction, kOther };

Brace classify(std::string_view head, bool after_member_initialiser) {
  const std::size_t start = head.find_first_not_of(" \n\t");
  head.remove_prefix(std::min(start, head.size()));
  while (!head.empty() && std::isspace(static_cast<unsigned char>(head.back())) != 0) {
    head.remove_suffix(1);
  }
  if (after_member_initialiser && (head.empty() || head.front() == ',')) return Brace::kFunction;
  if (head.empty() || head.back() == '=' || has_word(head, "enum")) return Brace::kOther;
  if (head.find('(') == head.npos) {
    const bool scope = has_word(head, "namespace") || has_word(head, "class") ||
                       has_word(head, "struct") || has_word(head, "union") ||
                       has_word(head, "extern");
    return scope ? Brace::kScope : Brace::kOther;
  }
  const std::size_t parameters = head.find('(');
  const std::size_t type = std::min(find_word(head, "struct"), find_word(head, "class"));
  const bool type_first = type == 0 && head.back() != ')' && parameters > head.find(':');
  return type_first ? Brace::kScope : Brace::kFunction;
}

}  // namespace

Lines split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

std::string code_of(std::string_view text) {
  std::string code(text);
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, code.size()); ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  const auto find = [&](std::string_view what, std::size_t from) {
    return std::min(text.find(what, from), text.size());
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    std::size_t end = i;
    if (rest.starts_with("//")) {
      end = find("\n", i);
      blank(i, end);
    } else if (rest.starts_with("/*")) {
      end = find("*/", i + 2) + 2;
      blank(i, end);
    } else if (rest.starts_with("R\"")) {
      const std::size_t open = find("(", i);
      const std::string close = ")" + std::string(text.substr(i + 2, open - i - 2)) + "\"";
      end = find(close, open) + close.size();
      blank(i, end);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || std::isalnum(text[i - 1]) == 0))) {
      for (end = i + 1; end < text.size() && text[end] != text[i] && text[end] != '\n'; ++end) {
        if (text[end] == '\\') ++end;
      }
      blank(i + 1, end++);
    }
    if (end > i) i = end - 1;
  }
  return code;
}

File::File(std::string path_from_root, std::string whole_text)
    : path(std::move(path_from_root)),
      text(std::move(whole_text)),
      lines(split_lines(text)),
      code(split_lines(code_of(text))) {}

std::string File::module() const {
  if (!path.starts_with("src/")) return "";
  return path.substr(4, path.find('/', 4) - 4);
}

const std::vector<File>& tree() {
  static const std::vector<File> files = [] {
    std::vector<File> found;
    const fs::path root = VITRINE_SOURCE_DIR;
    for (auto entry = fs::recursive_directory_iterator(root); entry != fs::end(entry); ++entry) {
      if (entry->is_directory() && skipped_folder(entry->path())) entry.disable_recursion_pending();
      if (!entry->is_regular_file() || entry->file_size() > (1u << 20)) continue;
      std::ifstream in(entry->path(), std::ios::binary);
      std::string text{std::istreambuf_iterator<char>(in), {}};
      if (text.find('\0') != text.npos) continue;
      found.emplace_back(entry->path().lexically_relative(root).generic_string(), std::move(text));
    }
    std::sort(found.begin(), found.end(),
              [](const File& a, const File& b) { return a.path < b.path; });
    return found;
  }();
  return files;
}

std::vector<const File*> sources() {
  std::vector<const File*> found;
  for (const File& file : tree()) {
    const bool ours = file.path.starts_with("src/") || file.path.starts_with("tests/") ||
                      file.path.starts_with("fuzz/") || file.path.starts_with("bench/");
    if (ours && (file.ends_with(".h") || file.ends_with(".cc"))) found.push_back(&file);
  }
  return found;
}

// line.
std::string included(const std::string& line, bool quoted) {
  if (!line.starts_with("#include ")) return "";
  const std::size_t open = line.find(quoted ? '"' : '<'), close = line.rfind(quoted ? '"' : '>');
  return open == line.npos || close <= open ? "" : line.substr(open + 1, close - open - 1);
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::size_t find_word(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(line[at - 1]) || !is_word(word.front());
    const std::size_t end = at + word.size();
    const bool ends = end == line.size() || !is_word(line[end]) || !is_word(word.back());
    if (starts && ends) return at;
  }
  return line.npos;
}

std::vector<Function> functions(const Lines& code) {
  std::vector<Function> found;
  std::vector<Brace> open;
  std::string head;
  bool after_function =
      false;  // a braced member initialiser looks like a body: what follows decides
  std::size_t inner = 0, first = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i].starts_with("#")) continue;
    for (const char c : code[i]) {
      if (c == '{' && inner == 0) {
        const Brace brace = classify(head, after_function);
        if (brace == Brace::kScope)
          open.push_back(brace);
        else
          inner = 1, first = brace == Brace::kFunction ? i + 1 : 0;
        head.clear();
      } else if (c == '{') {
        ++inner;
      } else if (c == '}' && inner > 0) {
        if (--inner == 0) {
          if (first > 0) found.push_back({first, i + 1});
          after_function = first > 0;
          head.clear();
        }
      } else if (c == '}') {
        if (!open.empty()) open.pop_back();
        head.clear();
        after_function = false;
      } else if (inner == 0) {
        if (c == ';')
          head.clear(), after_function = false;
        else
          head += c;
      }
    }
    head += ' ';
  }
  return found;
}

}  // namespace vitrine::tidy
