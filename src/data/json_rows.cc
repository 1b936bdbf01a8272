#include <simdjson.h>

#include <charconv>

#include "base/json.h"
#include "data/limits.h"
#include "data/rows.h"
#include "data/text.h"

namespace vitrine {
namespace {

namespace dom = simdjson::dom;

// "a.b" stands for b inside a, unless there is a key "a.b".
simdjson::simdjson_result<dom::element> at_path(dom::object object, std::string_view path) {
  const auto exact = object.at_key(path);
  if (exact.error() == simdjson::SUCCESS) return exact;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return exact;
  dom::object inner;
  if (object.at_key(path.substr(0, dot)).get(inner) != simdjson::SUCCESS)
    return simdjson::NO_SUCH_FIELD;
  return at_path(inner, path.substr(dot + 1));
}

class JsonRows final : public RowReader {
 public:
  JsonRows(LineReader& lines, const std::vector<std::string>& keys) : lines_(lines), keys_(keys) {}

  Result<bool> next(Row& row) override {
    do {
      VT_TRY(const bool more, lines_.next());
      if (!more) return false;
    } while (lines_.text().find_first_not_of(" \t") == std::string_view::npos);
    row.line = lines_.number();
    row.text = lines_.text();
    row.problem.clear();
    row.fields = {};
    if (lines_.too_long()) {
      row.problem = "the line has more than " + std::to_string(kLineBytesMax) + " bytes";
    } else if (!keys_.empty()) {
      read(row);
    }
    return true;
  }

 private:
  void read(Row& row) {
    dom::element document;
    if (const auto error = parser_.parse(row.text.data(), row.text.size()).get(document)) {
      row.problem = std::string("is no JSON: ") + simdjson::error_message(error);
      return;
    }
    dom::object object;
    if (document.get(object) != simdjson::SUCCESS) {
      row.problem = "expected a JSON object, as in {\"user\": ...}";
      return;
    }
    text_.clear();
    ends_.clear();
    for (const std::string& key : keys_) {
      dom::element value;
      if (at_path(object, key).get(value) == simdjson::SUCCESS && !append(value, true)) {
        row.problem = key + ": expected a string, a number, a boolean or a list of them";
        return;
      }
      ends_.push_back(text_.size());
    }
    fields_.clear();
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      fields_.push_back(std::string_view(text_).substr(begin, end - begin));
      begin = end;
    }
    row.fields = fields_;
  }

  // False: there is no text for it.
  bool append(dom::element value, bool may_be_list) {
    switch (value.type()) {
      case dom::element_type::STRING:
        text_ += std::string_view(value);
        return true;
      case dom::element_type::INT64:
        return append_number(std::int64_t(value));
      case dom::element_type::UINT64:
        return append_number(std::uint64_t(value));
      case dom::element_type::DOUBLE:
        return append_number(double(value));
      case dom::element_type::BOOL:
        text_ += bool(value) ? "true" : "false";
        return true;
      case dom::element_type::NULL_VALUE:
        return true;
      case dom::element_type::OBJECT:
        return false;
      case dom::element_type::ARRAY:
        break;
    }
    if (!may_be_list) return false;
    bool first = true;
    for (const dom::element element : dom::array(value)) {
      if (!std::exchange(first, false)) text_ += kListSeparator;
      if (!append(element, false)) return false;
    }
    return true;
  }

  template <class Number>
  bool append_number(Number number) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    text_.append(digits, static_cast<std::size_t>(end - digits));
    return true;
  }

  LineReader& lines_;
  const std::vector<std::string>& keys_;
  dom::parser parser_;
  std::string text_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> fields_;
};

}  // namespace

std::unique_ptr<RowReader> read_json_lines(LineReader& lines,
                                           const std::vector<std::string>& keys) {
  return std::make_unique<JsonRows>(lines, keys);
}

}  // namespace vitrine
