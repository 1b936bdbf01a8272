#include "base/toml.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/json.h"

namespace vitrine {
namespace {

// toml++ frees nested tables by recursion and has no limit on the depth of a.b.c; a configuration
// has neither megabytes nor keys of hundreds of parts.
constexpr std::size_t kBytesMax = std::size_t{1} << 20;
constexpr int kDotsMax = 500;  // on one line
constexpr int kDepthMax = 64;

Error at(std::string_view name, std::size_t line, std::size_t column, std::string_view what) {
  return Error{Code::kInvalid, std::string(name) + ":" + std::to_string(line) + ":" +
                                   std::to_string(column) + ": " + std::string(what)};
}

Status check_size(std::string_view text, std::string_view name) {
  if (text.size() > kBytesMax) {
    return Error{Code::kInvalid, std::string(name) + ": is larger than 1 MiB, no configuration is"};
  }
  std::size_t line = 1;
  int dots = 0;
  for (const char c : text) {
    if (c == '\n') ++line, dots = 0;
    if (c == '.' && ++dots > kDotsMax) return at(name, line, 1, "too many dots on one line");
  }
  return {};
}

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  Result<Value> value(const toml::node& node, int depth) const {
    if (depth <= 0) {
      const auto begin = node.source().begin;
      return at(name_, begin.line, begin.column,
                "nested deeper than " + std::to_string(kDepthMax) + " levels");
    }
    if (const auto* t = node.as_table()) return table(*t, depth);
    if (const auto* a = node.as_array()) return list(*a, depth);
    if (const auto* s = node.as_string()) return Value(s->get());
    if (const auto* i = node.as_integer()) return Value(i->get());
    if (const auto* d = node.as_floating_point()) return Value(d->get());
    if (const auto* b = node.as_boolean()) return Value(b->get());
    std::ostringstream text;
    if (const auto* date = node.as_date())
      text << date->get();
    else if (const auto* time = node.as_time())
      text << time->get();
    else if (const auto* both = node.as_date_time())
      text << both->get();
    return Value(std::move(text).str());
  }

 private:
  Result<Value> list(const toml::array& array, int depth) const {
    List out;
    for (const toml::node& node : array) {
      VT_TRY(Value element, value(node, depth - 1));
      out.push_back(std::move(element));
    }
    return Value(std::move(out));
  }

  // toml++ sorts keys by name; a Table has them in the order of the file.
  Result<Value> table(const toml::table& source, int depth) const {
    std::vector<std::pair<const toml::key*, const toml::node*>> order;
    for (const auto& entry : source) order.emplace_back(&entry.first, &entry.second);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return a.first->source().begin < b.first->source().begin;
    });
    std::vector<Table::Entry> entries;
    for (const auto& entry : order) {
      VT_TRY(Value element, value(*entry.second, depth - 1));
      entries.emplace_back(std::string(entry.first->str()), std::move(element));
    }
    return Value(Table(std::move(entries)));
  }

  std::string_view name_;
};

// --- out -----------------------------------------------------------------------------------------

void put_quoted(std::string& out, std::string_view raw) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out += '"';
  for (const char c : valid_utf8(raw)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void put_key(std::string& out, std::string_view key) {
  const auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (!key.empty() && std::all_of(key.begin(), key.end(), bare))
    out += key;
  else
    put_quoted(out, key);
}

void put_double(std::string& out, double d) {
  if (std::isnan(d)) {
    out += "nan";
    return;
  }
  char buffer[32];
  const std::string_view text(
      buffer, static_cast<std::size_t>(std::to_chars(buffer, buffer + 32, d).ptr - buffer));
  out += text;  // "inf" and "1e+30" are TOML as they are
  if (text.find_first_of(".ei") == std::string_view::npos) out += ".0";
}

void put_inline(std::string& out, const Value& value) {
  std::string_view comma;
  if (const auto* b = value.as_bool()) {
    out += *b ? "true" : "false";
  } else if (const auto* i = value.as_int()) {
    out += std::to_string(*i);
  } else if (const auto* d = value.as_double()) {
    put_double(out, *d);
  } else if (const auto* s = value.as_string()) {
    put_quoted(out, *s);
  } else if (const auto* list = value.as_list()) {
    out += '[';
    for (const Value& element : *list) {
      if (element.is_null()) continue;
      out += comma;
      comma = ", ";
      put_inline(out, element);
    }
    out += ']';
  } else if (const auto* table = value.as_table()) {
    out += '{';
    for (const Table::Entry& entry : *table) {
      if (entry.second.is_null()) continue;
      out += comma.empty() ? " " : comma;
      comma = ", ";
      put_key(out, entry.first);
      out += " = ";
      put_inline(out, entry.second);
    }
    out += comma.empty() ? "}" : " }";
  }
}

bool all_tables(const Value& value) {
  const List* list = value.as_list();
  return list != nullptr && !list->empty() &&
         std::all_of(list->begin(), list->end(),
                     [](const Value& v) { return v.as_table() != nullptr; });
}

bool is_section(const Value& value) { return value.as_table() != nullptr || all_tables(value); }

void put_table(std::string& out, const std::string& path, const Table& table);

void put_section(std::string& out, const std::string& path, const Table& table, bool element) {
  if (!out.empty()) out += '\n';
  out += element ? "[[" : "[";
  out += path;
  out += element ? "]]\n" : "]\n";
  put_table(out, path, table);
}

void put_table(std::string& out, const std::string& path, const Table& table) {
  for (const Table::Entry& entry : table) {
    if (entry.second.is_null() || is_section(entry.second)) continue;
    put_key(out, entry.first);
    out += " = ";
    put_inline(out, entry.second);
    out += '\n';
  }
  for (const Table::Entry& entry : table) {
    if (!is_section(entry.second)) continue;
    std::string inner = path.empty() ? path : path + ".";
    put_key(inner, entry.first);
    if (const Table* section = entry.second.as_table()) {
      put_section(out, inner, *section, false);
    } else {
      for (const Value& one : *entry.second.as_list()) {
        put_section(out, inner, *one.as_table(), true);
      }
    }
  }
}

}  // namespace

Result<Table> parse_toml(std::string_view text, std::string_view name) {
  VT_TRY(check_size(text, name));
  try {
    const toml::table parsed = toml::parse(text, name);
    VT_TRY(Value value, Reader(name).value(parsed, kDepthMax));
    return std::move(*value.as_table());
  } catch (const toml::parse_error& e) {
    const auto begin = e.source().begin;
    return at(name, begin.line, begin.column, e.description());
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string(name) + ": " + e.what()};
  }
}

std::string to_toml(const Table& table) {
  std::string out;
  put_table(out, {}, table);
  return out;
}

}  // namespace vitrine
