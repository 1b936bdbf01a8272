#include "base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

// RapidJSON adds to null pointers in its empty stacks.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#if defined(__clang__)
#pragma clang attribute pop
#endif

#include "base/json_view.h"
#include "base/json_writer.h"

namespace vitrine {
namespace {

namespace dom = simdjson::dom;

Error invalid(std::string text) { return Error{Code::kInvalid, "JSON: " + std::move(text)}; }

Result<Value> convert(dom::element element);

Result<Value> convert_list(dom::array array) {
  List list;
  list.reserve(std::min<std::size_t>(array.size(), 4096));
  for (const dom::element element : array) {
    VT_TRY(Value value, convert(element));
    list.push_back(std::move(value));
  }
  return Value(std::move(list));
}

// Sorts views, because a table's own look-up is linear and outside bytes choose the number of keys.
std::optional<std::string_view> repeated_key(const std::vector<Table::Entry>& entries) {
  std::vector<std::string_view> keys;
  keys.reserve(entries.size());
  for (const Table::Entry& entry : entries) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  const auto twin = std::adjacent_find(keys.begin(), keys.end());
  if (twin == keys.end()) return std::nullopt;
  return *twin;
}

Result<Value> convert_table(dom::object object) {
  std::vector<Table::Entry> entries;
  for (const dom::key_value_pair field : object) {
    VT_TRY(Value value, convert(field.value));
    entries.emplace_back(std::string(field.key), std::move(value));
  }
  if (const auto key = repeated_key(entries)) {
    return invalid("key " + to_json(key->substr(0, 64)) + " appears twice in one object");
  }
  return Value(Table(std::move(entries)));
}

Result<Value> convert(dom::element element) {
  using Type = dom::element_type;
  switch (element.type()) {
    case Type::ARRAY:
      return convert_list(element.get_array().value_unsafe());
    case Type::OBJECT:
      return convert_table(element.get_object().value_unsafe());
    case Type::STRING:
      return Value(element.get_string().value_unsafe());
    case Type::INT64:
      return Value(element.get_int64().value_unsafe());
    case Type::UINT64:
      return Value(static_cast<double>(element.get_uint64().value_unsafe()));
    case Type::DOUBLE:
      return Value(element.get_double().value_unsafe());
    case Type::BOOL:
      return Value(element.get_bool().value_unsafe());
    case Type::NULL_VALUE:
      return Value();
  }
  return invalid("holds a value of an unknown type");
}

// simdjson refuses integers beyond 64 bits, which JSON allows: as fractions they become doubles.
std::string widen_integers(std::string_view text) {
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (text[i] == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
      out += text.substr(i, end - i);
    } else if (digit(i) || (text[i] == '-' && digit(i + 1))) {
      while (digit(end)) ++end;
      out += text.substr(i, end - i);
      std::int64_t fits = 0;
      const bool whole =
          end == text.size() || std::string_view(".eE").find(text[end]) == std::string_view::npos;
      const auto parsed = std::from_chars(text.data() + i, text.data() + end, fits);
      if (whole && parsed.ec != std::errc()) out += ".0";
      while (end < text.size() &&
             std::string_view("+-.eE0123456789").find(text[end]) != std::string_view::npos) {
        out += text[end++];
      }
    } else {
      out += text[i];
    }
    i = end;
  }
  return out;
}

// RapidJSON reads the text once more, only to learn where it stops being JSON.
std::string where_it_breaks(std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> ignore;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const auto result = reader.Parse<kFlags>(stream, ignore);
  if (!result.IsError()) return {};
  return std::string(rapidjson::GetParseError_En(result.Code())) + " (at byte " +
         std::to_string(result.Offset()) + ")";
}

Error explain(simdjson::error_code code, std::string_view text, int depth_max) {
  if (text.empty()) return invalid("there is no text");
  if (code == simdjson::DEPTH_ERROR) {
    return invalid("nested deeper than " + std::to_string(depth_max) + " levels");
  }
  if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY) {
    return Error{Code::kExhausted,
                 "JSON: a document of " + std::to_string(text.size()) + " bytes is too large"};
  }
  if (code == simdjson::NUMBER_ERROR) {
    return invalid("a number is malformed or beyond the range of a double");
  }
  const std::string place = where_it_breaks(text);
  return invalid(place.empty() ? simdjson::error_message(code) : place);
}

Result<Value> parse(std::string_view text, int depth_max, bool widened) {
  dom::parser parser;
  const auto levels = static_cast<std::size_t>(std::max(depth_max, 1));
  if (const auto code = parser.allocate(text.size(), levels)) return explain(code, text, depth_max);
  const simdjson::padded_string padded(text);
  if (padded.data() == nullptr) return explain(simdjson::MEMALLOC, text, depth_max);
  dom::element root;
  const auto code = parser.parse(padded).get(root);
  if (code == simdjson::NUMBER_ERROR && !widened) {
    return parse(widen_integers(text), depth_max, true);
  }
  if (code != simdjson::SUCCESS) return explain(code, text, depth_max);
  return convert(root);
}

// --- out -----------------------------------------------------------------------------------------

using Digits = std::array<char, 40>;

template <class Real>
std::string_view real_text(Real d, Digits& digits) {
  if (!std::isfinite(d)) return "null";
  char* end = std::to_chars(digits.data(), digits.data() + 32, d).ptr;
  // Without a fraction it would be read back as an integer.
  if (std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()))
          .find_first_of(".e") == std::string_view::npos) {
    *end++ = '.';
    *end++ = '0';
  }
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

template <class Writer>
void write_double(Writer& writer, double d) {
  Digits digits;
  const std::string_view text = real_text(d, digits);
  writer.RawValue(text.data(), text.size(), rapidjson::kNumberType);
}

template <class Writer>
void write_text(Writer& writer, std::string_view text, bool key) {
  std::string repaired;
  if (!simdjson::validate_utf8(text.data(), text.size())) text = repaired = valid_utf8(text);
  const auto size = static_cast<rapidjson::SizeType>(text.size());
  const char* data = text.empty() ? "" : text.data();
  if (key)
    writer.Key(data, size);
  else
    writer.String(data, size);
}

template <class Writer>
void write(Writer& writer, const Value& value) {
  if (const auto* b = value.as_bool()) {
    writer.Bool(*b);
  } else if (const auto* i = value.as_int()) {
    writer.Int64(*i);
  } else if (const auto* d = value.as_double()) {
    write_double(writer, *d);
  } else if (const auto* s = value.as_string()) {
    write_text(writer, *s, false);
  } else if (const auto* list = value.as_list()) {
    writer.StartArray();
    for (const Value& element : *list) write(writer, element);
    writer.EndArray();
  } else if (const auto* table = value.as_table()) {
    writer.StartObject();
    for (const Table::Entry& entry : *table) {
      write_text(writer, entry.first, true);
      write(writer, entry.second);
    }
    writer.EndObject();
  } else {
    writer.Null();
  }
}

// The length of the UTF-8 sequence at the front of `text`, or 0 when there is none (RFC 3629, table
// 3-7 of the Unicode standard).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
  if (lead >= 0xC2 && lead <= 0xDF)
    length = 2;
  else if (lead >= 0xE0 && lead <= 0xEF)
    length = 3;
  else if (lead >= 0xF0 && lead <= 0xF4)
    length = 4;
  if (lead == 0xE0)
    low = 0xA0;
  else if (lead == 0xED)
    high = 0x9F;
  else if (lead == 0xF0)
    low = 0x90;
  else if (lead == 0xF4)
    high = 0x8F;
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

}  // namespace

Result<Value> parse_json(std::string_view text, int depth_max) {
  try {
    return parse(text, depth_max, false);
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("JSON: ") + e.what()};
  }
}

std::string to_json(const Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  write(writer, value);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string to_json_pretty(const Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  write(writer, value);
  return {buffer.GetString(), buffer.GetSize()};
}

// --- without a tree ------------------------------------------------------------------------------

struct JsonView::Parsed {
  static_assert(sizeof(dom::element) == sizeof(JsonView::element_));
  static_assert(std::is_trivially_copyable_v<dom::element>);
  static JsonView view(const dom::element& element) {
    JsonView view;
    std::memcpy(view.element_.data(), &element, sizeof element);
    return view;
  }
  static dom::element element(const JsonView& view) {
    dom::element element;
    std::memcpy(&element, view.element_.data(), sizeof element);
    return element;
  }
};

JsonView::Kind JsonView::kind() const {
  using Type = dom::element_type;
  switch (Parsed::element(*this).type()) {
    case Type::ARRAY:
      return Kind::kList;
    case Type::OBJECT:
      return Kind::kObject;
    case Type::STRING:
      return Kind::kText;
    case Type::INT64:
      return Kind::kInteger;
    case Type::UINT64:
    case Type::DOUBLE:
      return Kind::kDouble;
    case Type::BOOL:
      return Kind::kBool;
    case Type::NULL_VALUE:
      break;
  }
  return Kind::kNull;
}

bool JsonView::flag() const { return Parsed::element(*this).get_bool().value_unsafe(); }
std::int64_t JsonView::integer() const { return Parsed::element(*this).get_int64().value_unsafe(); }
double JsonView::number() const { return Parsed::element(*this).get_double().value_unsafe(); }
std::string_view JsonView::text() const {
  return Parsed::element(*this).get_string().value_unsafe();
}
Result<Value> JsonView::value() const { return convert(Parsed::element(*this)); }

bool JsonView::fields(void* visit, bool (*call)(void*, std::string_view, JsonView)) const {
  const dom::object object = Parsed::element(*this).get_object().value_unsafe();
  for (const dom::key_value_pair field : object) {
    if (!call(visit, field.key, Parsed::view(field.value))) return false;
  }
  return true;
}

bool JsonView::elements(void* visit, bool (*call)(void*, JsonView)) const {
  const dom::array array = Parsed::element(*this).get_array().value_unsafe();
  for (const dom::element element : array) {
    if (!call(visit, Parsed::view(element))) return false;
  }
  return true;
}

std::optional<JsonView> parse_json_view(std::string_view text, int depth_max) {
  constexpr std::size_t kRoom = 4096, kKept = 1 << 20;  // bytes of a document
  thread_local std::optional<dom::parser> parser;
  thread_local std::vector<char> padded;
  if (!parser || (parser->capacity() > kKept && text.size() <= kKept)) {
    parser.emplace();
    padded = {};
  }
  const auto levels = static_cast<std::size_t>(std::max(depth_max, 1));
  if (parser->capacity() < text.size() || parser->max_depth() != levels) {
    const std::size_t room = std::max({kRoom, parser->capacity(), text.size()});
    if (parser->allocate(room, levels) != simdjson::SUCCESS) return std::nullopt;
  }
  if (padded.size() < text.size() + simdjson::SIMDJSON_PADDING)
    padded.resize(std::max(kRoom, text.size()) + simdjson::SIMDJSON_PADDING);
  std::copy(text.begin(), text.end(), padded.begin());
  dom::element root;
  if (parser->parse(padded.data(), text.size(), false).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  return JsonView::Parsed::view(root);
}

void JsonWriter::text(std::string_view text) {
  comma();
  // What needs a look: 1 an escape, 2 a byte beyond ASCII.
  static constexpr auto kSpecial = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t c = 0; c < 256; ++c) table[c] = c < 0x20 ? 1 : c < 0x80 ? 0 : 2;
    table['"'] = table['\\'] = 1;
    return table;
  }();
  std::uint8_t special = 0;
  for (const char c : text) special |= kSpecial[static_cast<unsigned char>(c)];
  std::string repaired;
  if ((special & 2) != 0 && !simdjson::validate_utf8(text.data(), text.size()))
    text = repaired = valid_utf8(text);
  out_ += '"';
  if ((special & 1) == 0) {
    out_ += text;
  } else {
    for (const char c : text) escape(c);
  }
  out_ += '"';
}

// As RapidJSON does it.
void JsonWriter::escape(char c) {
  constexpr std::string_view kShort = "\bb\tt\nn\ff\rr\"\"\\\\";  // pairs
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (std::size_t i = 0; i < kShort.size(); i += 2) {
    if (kShort[i] != c) continue;
    out_ += '\\';
    out_ += kShort[i + 1];
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out_ += c;
    return;
  }
  out_ += "\\u00";
  out_ += kDigits[byte >> 4];
  out_ += kDigits[byte & 15];
}

template <class Real>
void JsonWriter::real(Real number) {
  comma();
  if (number == 1) {  // of every certain propensity
    out_ += "1.0";
    return;
  }
  Digits digits;
  out_ += real_text(number, digits);
}

void JsonWriter::number(double number) { real(number); }
void JsonWriter::number(float number) { real(number); }

void JsonWriter::integer(std::int64_t number) {
  comma();
  Digits digits;
  out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + 32, number).ptr);
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace vitrine
