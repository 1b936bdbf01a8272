// One description of an options struct feeds everything that has to know it: the TOML parser,
// command-line flags, --help, docs/configuration.md and the copy that is kept in each archive.
//
//   struct AlsOptions {
//     int factors = 64;
//     std::string solver = "cg";
//     static constexpr auto fields() {
//       return std::tuple{Field{"factors", &AlsOptions::factors, 1, 4096, "width of the latent
//       vectors"},
//                         Field{"solver", &AlsOptions::solver, "cg|exact", "how a row is solved"}};
//     }
//   };
//
//   VT_TRY(auto options, read_options<AlsOptions>(table, "[models.als]"));
//
// Types: bool, int, std::int64_t, float, double, std::string, std::vector<std::string>.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/value.h"

namespace vitrine {

template <class Struct, class T>
struct Field {
  using Number = std::conditional_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, T, int>;
  std::string_view name;
  T Struct::*member;
  Number low = {}, high = {};     // inclusive range of a number
  std::string_view choices = {};  // of a string: "a|b|c", empty = anything
  std::string_view help;

  constexpr Field(std::string_view n, T Struct::*m, Number lo, Number hi, std::string_view h)
      : name(n), member(m), low(lo), high(hi), help(h) {}
  constexpr Field(std::string_view n, T Struct::*m, std::string_view c, std::string_view h)
      : name(n), member(m), choices(c), help(h) {}
  constexpr Field(std::string_view n, T Struct::*m, std::string_view h)
      : name(n), member(m), help(h) {}
};
template <class S, class T, class... Rest>
Field(std::string_view, T S::*, Rest...) -> Field<S, T>;

// A field without its type, for --help and the docs.
struct FieldDoc {
  std::string name, type, default_value, range, help;  // range: "1 to 4096" or "cg, exact" or empty
};

namespace options_detail {
enum class Kind { kBool, kInt, kFloat, kString, kStrings };
struct Spec {
  std::string_view name, choices, help;
  Kind kind;
  double low, high;  // inclusive, of a number; what the type holds when no range is given
  bool bounded;      // a range is given
};
// The double that reads like `f`: 0.1 for 0.1f, where a conversion gives 0.10000000149.
double decimal(float f);
// `where` names the table in messages. These check type, range and choices and convert.
Result<Value> check(const Spec& spec, const Value& value, std::string_view where);
Error unknown_key(std::string_view key, const std::vector<std::string_view>& known,
                  std::string_view where);
FieldDoc describe(const Spec& spec, const Value& default_value);

template <class T>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>)
    return Kind::kBool;
  else if constexpr (std::is_integral_v<T>)
    return Kind::kInt;
  else if constexpr (std::is_floating_point_v<T>)
    return Kind::kFloat;
  else if constexpr (std::is_same_v<T, std::string>)
    return Kind::kString;
  else {
    static_assert(std::is_same_v<T, std::vector<std::string>>);
    return Kind::kStrings;
  }
}
template <class T>
double exact(T number) {
  if constexpr (std::is_same_v<T, float>)
    return decimal(number);
  else
    return static_cast<double>(number);
}
template <class S, class T>
Spec spec_of(const Field<S, T>& f) {
  using Number = typename Field<S, T>::Number;
  const bool bounded = f.low < f.high;
  const Number low = bounded ? f.low : std::numeric_limits<Number>::lowest();
  const Number high = bounded ? f.high : std::numeric_limits<Number>::max();
  return {f.name, f.choices, f.help, kind_of<T>(), exact(low), exact(high), bounded};
}
template <class T>
Value to_value(const T& v) {
  if constexpr (std::is_same_v<T, std::vector<std::string>>)
    return List(v.begin(), v.end());
  else if constexpr (std::is_same_v<T, float>)
    return Value(decimal(v));
  else
    return Value(v);
}
template <class T>
void assign(T& out, const Value& v) {
  if constexpr (std::is_same_v<T, bool>)
    out = *v.as_bool();
  else if constexpr (std::is_integral_v<T>)
    out = static_cast<T>(*v.as_int());
  else if constexpr (std::is_floating_point_v<T>)
    out = static_cast<T>(v.number());
  else if constexpr (std::is_same_v<T, std::string>)
    out = *v.as_string();
  else {
    out.clear();
    for (const Value& s : *v.as_list()) out.push_back(*s.as_string());
  }
}
}  // namespace options_detail

// Defaults overwritten by what the table holds. An unknown key is an error that names the nearest
// known one; a value of the wrong type or out of range is an error that names the range. Message
// prefix: where.
template <class Options>
Result<Options> read_options(const Table& table, std::string_view where, Options options = {}) {
  namespace d = options_detail;
  std::vector<std::string_view> known;
  std::apply([&](const auto&... f) { (known.push_back(f.name), ...); }, Options::fields());
  for (const Table::Entry& entry : table) {
    const std::string& key = entry.first;
    const Value& value = entry.second;
    bool found = false;
    Status failed;
    auto visit = [&](const auto& field) {
      if (found || field.name != key) return;
      found = true;
      auto checked = d::check(d::spec_of(field), value, where);
      if (!checked.ok())
        failed = checked.error();
      else
        d::assign(options.*(field.member), checked.value());
    };
    std::apply([&](const auto&... f) { (visit(f), ...); }, Options::fields());
    if (!found) return d::unknown_key(key, known, where);
    VT_TRY(failed);
  }
  return options;
}

// All fields, defaults included.
template <class Options>
Table write_options(const Options& options) {
  Table table;
  std::apply(
      [&](const auto&... f) {
        (table.set(f.name, options_detail::to_value(options.*(f.member))), ...);
      },
      Options::fields());
  return table;
}

template <class Options>
std::vector<FieldDoc> describe_options() {
  const Options defaults{};
  std::vector<FieldDoc> docs;
  std::apply(
      [&](const auto&... f) {
        (docs.push_back(options_detail::describe(options_detail::spec_of(f),
                                                 options_detail::to_value(defaults.*(f.member)))),
         ...);
      },
      Options::fields());
  return docs;
}

// "k=100" given on a command line: sets the dotted path in `table`, guessing the type as TOML
// would, a word that is no TOML value being a string.
Status set_path(Table& table, std::string_view dotted_path, std::string_view text);

// "ease=2": a name and a weight of at least 0.
struct NamedWeight {
  std::string name;
  double weight = 1;
};
Result<NamedWeight> parse_weight(std::string_view text);

// The known word nearest to `word` by edit distance, or empty when none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace vitrine
