// JSON written as it comes, without a tree, to the byte what to_json() makes of the same values:
// for answers and records that are made thousands of times a second.
//
//   JsonWriter json(body);
//   json.open('{');
//   json.key("items").open('[');
//   ...
//   json.close(']');
//   json.close('}');
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine {

class JsonWriter {
 public:
  // Appends to `out`, which outlives the writer and is empty or ends in an opened bracket.
  explicit JsonWriter(std::string& out) : out_(out) {}

  void open(char bracket) {
    comma();
    out_ += bracket;
  }
  void close(char bracket) { out_ += bracket; }
  // The next value belongs to this key. The key is plain: nothing in it needs an escape.
  JsonWriter& key(std::string_view key) {
    comma();
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return *this;
  }
  // Bytes that are no UTF-8 are replaced, as valid_utf8() does.
  void text(std::string_view text);
  // Shortest that reads back the same double, or the same float; null when it is not finite.
  void number(double number);
  void number(float number);
  void integer(std::int64_t number);

 private:
  void escape(char c);
  template <class Real>
  void real(Real number);
  void comma() {
    if (out_.empty()) return;
    const char last = out_.back();  // a string ends in its quote, so these are never its own
    if (last != '{' && last != '[' && last != ':') out_ += ',';
  }
  std::string& out_;
};

}  // namespace vitrine
