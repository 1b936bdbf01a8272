#include "eval/trec.h"

#include <fmt/format.h>

#include <iterator>

namespace vitrine {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;

std::string column(std::string_view id) {
  std::string out;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || byte == '%') {
      fmt::format_to(std::back_inserter(out), "%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

// Calls lines(at, text) for each case, which appends its lines, and writes them in large pieces.
template <class Lines>
Status write_lines(FileSystem& files, const std::string& path, std::size_t cases,
                   const Lines& lines) {
  VT_TRY(auto file, files.create(path));
  std::string text;
  for (std::size_t at = 0; at < cases; ++at) {
    lines(at, text);
    if (text.size() < kChunkBytes) continue;
    VT_TRY(file->append(as_bytes(text)));
    text.clear();
  }
  return file->append(as_bytes(text));
}

}  // namespace

Status write_qrels(FileSystem& files, const std::string& path, const EvaluatedLists& lists,
                   const CaseName& case_name, const ItemName& item_name) {
  return write_lines(files, path, lists.cases.size(), [&](std::size_t at, std::string& text) {
    const std::string name = column(case_name(lists.cases[at]));
    for (const ItemIndex item : lists.truth[at]) {
      fmt::format_to(std::back_inserter(text), "{} 0 {} 1\n", name, column(item_name(item)));
    }
  });
}

Status write_run(FileSystem& files, const std::string& path, const EvaluatedLists& lists,
                 const CaseName& case_name, const ItemName& item_name, std::string_view tag) {
  const std::string last = column(tag);
  return write_lines(files, path, lists.cases.size(), [&](std::size_t at, std::string& text) {
    const std::string name = column(case_name(lists.cases[at]));
    std::size_t rank = 0;
    for (const Candidate& candidate : lists.lists.row(at)) {
      ++rank;
      fmt::format_to(std::back_inserter(text), "{} Q0 {} {} {} {}\n", name,
                     column(item_name(candidate.item)), rank, lists.lists.n() + 1 - rank, last);
    }
  });
}

}  // namespace vitrine
