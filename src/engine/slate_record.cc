#include "engine/slate_record.h"

#include <charconv>

#include "data/item.h"

namespace vitrine {
namespace {

// A flat JSON object, written as it comes: thousands a second, without a tree.
class Line {
 public:
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    name(key);
    quote(value);
  }
  template <class Number>
  void number(std::string_view key, Number value) {
    name(key);
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text_.append(digits, end);
  }
  void open(std::string_view key, char bracket) {
    if (key.empty())
      comma();
    else
      name(key);
    text_ += bracket;
  }
  void close(char bracket) { text_ += bracket; }
  std::string take() { return std::move(text_); }

 private:
  void comma() {
    if (!text_.empty() && text_.back() != '{' && text_.back() != '[') text_ += ',';
  }
  void name(std::string_view key) {
    comma();
    quote(key);
    text_ += ':';
  }
  void quote(std::string_view value) {
    constexpr char kDigits[] = "0123456789abcdef";
    text_ += '"';
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (byte < 0x20) {
        text_ += "\\u00";
        text_ += kDigits[byte >> 4];
        text_ += kDigits[byte & 15];
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  std::string text_;
};

}  // namespace

std::string slate_record(const Answer& answer, const RecommendRequest& request, Timestamp time) {
  Line line;
  line.open("", '{');
  line.text("slate_id", answer.slate_id);
  line.text("time", format_time(time));
  line.text("user", request.user);
  line.text("session", request.session);
  line.text("placement", request.placement);
  line.text("item", request.item);
  line.text("snapshot", answer.snapshot);
  line.number("sequence", answer.sequence);
  line.text("policy", "fusion");
  line.text("variant", "only");
  line.number("n", request.n);
  line.open("items", '[');
  int position = 0;
  for (const AnsweredItem& item : answer.items) {
    line.open("", '{');
    line.text("item", item.id);
    line.number("position", ++position);
    line.number("score", static_cast<float>(item.score));
    line.number("propensity", static_cast<float>(item.propensity));
    line.text("source", item.source);
    line.close('}');
  }
  line.close(']');
  line.text("degraded", answer.degraded);
  line.text("shortfall", answer.shortfall);
  line.close('}');
  return line.take();
}

}  // namespace vitrine
