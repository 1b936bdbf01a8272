#include "base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
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

template <class Writer>
void write_double(Writer& writer, double d) {
  if (!std::isfinite(d)) {
    writer.Null();
    return;
  }
  char buffer[40];
  char* end = std::to_chars(buffer, buffer + 32, d).ptr;
  // Without a fraction it would be read back as an integer.
  if (std::string_view(buffer, static_cast<std::size_t>(end - buffer)).find_first_of(".e") ==
      std::string_view::npos) {
    *end++ = '.';
    *end++ = '0';
  }
  writer.RawValue(buffer, static_cast<std::size_t>(end - buffer), rapidjson::kNumberType);
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
