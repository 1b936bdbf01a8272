#include "base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/toml.h"

namespace vitrine {
namespace {

// Damerau-Levenshtein distance in its restricted form: no part is edited twice.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string joined(const std::vector<std::string_view>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// A value as messages show it: on one line, not too long, nothing that a terminal would obey.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return text.size() > 64 ? out + "..." : out;
}

std::string shown_value(const Value& value) {
  if (const auto* s = value.as_string()) return "'" + shown(*s) + "'";
  if (const auto* b = value.as_bool()) return *b ? "true" : "false";
  if (const auto* i = value.as_int()) return std::to_string(*i);
  if (const auto* d = value.as_double()) return fmt::format("{}", *d);
  return "a " + std::string(value.type_name());
}

using options_detail::Kind;
using options_detail::Spec;

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return "true or false";
    case Kind::kInt:
      return "a whole number";
    case Kind::kFloat:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kStrings:
      return "a list of strings";
  }
  return "a value";
}

std::string bound(const Spec& spec, double value) {
  if (spec.kind == Kind::kInt) return fmt::format("{:.0f}", value);
  return std::abs(value) >= 1e15 ? fmt::format("{:g}", value) : fmt::format("{}", value);
}

std::string range_of(const Spec& spec) {
  if (!spec.choices.empty()) return joined(split(spec.choices, '|'));
  if (!spec.bounded) return {};
  return bound(spec, spec.low) + " to " + bound(spec, spec.high);
}

bool has_type(const Spec& spec, const Value& value) {
  switch (spec.kind) {
    case Kind::kBool:
      return value.as_bool() != nullptr;
    case Kind::kInt:
      return value.as_int() != nullptr;
    case Kind::kFloat:
      return value.is_number();
    case Kind::kString:
      return value.as_string() != nullptr;
    case Kind::kStrings: {
      const List* list = value.as_list();
      return list != nullptr && std::all_of(list->begin(), list->end(), [](const Value& v) {
               return v.as_string() != nullptr;
             });
    }
  }
  return false;
}

bool in_range(const Spec& spec, const Value& value) {
  // long double holds every int64 exactly, so the ends of wide ranges are exact too.
  if (const auto* i = value.as_int()) {
    const auto wide = static_cast<long double>(*i);
    return wide >= spec.low && wide <= spec.high;
  }
  const double d = value.number();
  return d >= spec.low && d <= spec.high;  // false for NaN
}

Error wrong(const Spec& spec, const Value& value, std::string_view where, std::string_view what,
            std::string_view expected) {
  return Error{Code::kInvalid, fmt::format("{} {}: {} {}, expected {}", where, spec.name,
                                           shown_value(value), what, expected)};
}

Status check_choice(const Spec& spec, const Value& value, std::string_view where) {
  const auto choices = split(spec.choices, '|');
  const std::string& word = *value.as_string();
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return {};
  std::string expected = "one of " + joined(choices);
  if (const auto near = nearest(word, choices); !near.empty()) {
    expected += fmt::format(" (did you mean '{}'?)", near);
  }
  return wrong(spec, value, where, "is not a choice", expected);
}

}  // namespace

namespace options_detail {

double decimal(float f) {
  char buffer[32];
  const char* end = std::to_chars(buffer, buffer + sizeof buffer, f).ptr;
  double d = 0;
  std::from_chars(buffer, end, d);
  return static_cast<float>(d) == f ? d : static_cast<double>(f);
}

Result<Value> check(const Spec& spec, const Value& value, std::string_view where) {
  if (!has_type(spec, value)) {
    return wrong(spec, value, where, "has the wrong type", type_name(spec.kind));
  }
  if (spec.kind == Kind::kInt || spec.kind == Kind::kFloat) {
    if (in_range(spec, value)) return value;
    const std::string range = bound(spec, spec.low) + " to " + bound(spec, spec.high);
    return wrong(spec, value, where, "is out of range", range);
  }
  if (spec.kind == Kind::kString && !spec.choices.empty()) {
    VT_TRY(check_choice(spec, value, where));
  }
  return value;
}

Error unknown_key(std::string_view key, const std::vector<std::string_view>& known,
                  std::string_view where) {
  std::string text = fmt::format("{} unknown key '{}', ", where, shown(key));
  const std::string_view near = nearest(key, known);
  if (!near.empty())
    text += fmt::format("did you mean '{}'?", near);
  else if (known.empty())
    text += "it takes none";
  else
    text += "expected one of " + joined(known);
  return Error{Code::kInvalid, std::move(text)};
}

FieldDoc describe(const Spec& spec, const Value& default_value) {
  constexpr std::string_view kTypes[] = {"boolean", "integer", "number", "string",
                                         "list of strings"};
  std::string shown_default = to_toml({{"x", default_value}});  // "x = 64\n"
  shown_default = shown_default.substr(4, shown_default.size() - 5);
  return {std::string(spec.name), std::string(kTypes[static_cast<std::size_t>(spec.kind)]),
          std::move(shown_default), range_of(spec), std::string(spec.help)};
}

}  // namespace options_detail

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : known) {
    const std::size_t longer = std::max(word.size(), candidate.size());
    const std::size_t shorter = std::min(word.size(), candidate.size());
    if ((longer - shorter) * 3 > longer) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance * 3 > longer || (!best.empty() && distance >= best_distance)) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

Status set_path(Table& table, std::string_view dotted_path, std::string_view text) {
  const auto parts = split(dotted_path, '.');
  Table* inner = &table;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) {
      return Error{Code::kInvalid, fmt::format("'{}' is no setting: write it as section.key=value",
                                               shown(dotted_path))};
    }
    if (i + 1 == parts.size()) break;
    Value& next = (*inner)[parts[i]];
    if (next.is_null()) next = Table();
    if (next.as_table() == nullptr) {
      return Error{Code::kInvalid,
                   fmt::format("'{}' cannot be set: '{}' is a {}, not a table", shown(dotted_path),
                               shown(parts[i]), next.type_name())};
    }
    inner = next.as_table();
  }
  Value value(text);
  if (text.find_first_of("\r\n") == std::string_view::npos) {
    auto parsed = parse_toml("x = " + std::string(text), "value");
    if (parsed.ok()) value = std::move(*parsed->find("x"));
  }
  inner->set(parts.back(), std::move(value));
  return {};
}

Result<NamedWeight> parse_weight(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  const std::string form = "'" + std::string(text) + "' is not of the form name=number";
  if (equals == std::string_view::npos || equals == 0) return Error{Code::kInvalid, form};
  const std::string number(text.substr(equals + 1));
  char* end = nullptr;
  const double weight = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0' || !std::isfinite(weight) || weight < 0) {
    return Error{Code::kInvalid, form + " with a number of at least 0"};
  }
  return NamedWeight{std::string(text.substr(0, equals)), weight};
}

}  // namespace vitrine
