#include "model/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/toml.h"

namespace vitrine {
namespace {

struct Declared {
  std::string_view kind, range;
  bool needs_times = false;
};

// Epochs are no dimension: a model that learns in epochs is asked after each.
constexpr Declared kDeclared[] = {
    {"popularity", "window_days=0|7|14|30|90", true},
    {"item_knn", "window=0|10|100"},
    {"item_knn", "distance_decay=0.8..1"},
    {"item_knn", "backward=0.2..1"},
    {"item_knn", "source_exponent=0.3..0.7"},
    {"item_knn", "target_exponent=0.2..0.7"},
    {"item_knn", "person_exponent=0..1"},
    {"item_knn", "similarity=cosine|bm25|jaccard"},
    {"item_knn", "amplification=1..1.6"},
    {"item_knn", "history_decay=0.7..1", true},
    {"item_knn", "half_life_days=0|60|180|365", true},
    {"item_knn", "shrinkage=0|1|10"},
    {"ease", "lambda=10..5000:log"},
    {"ease", "person_exponent=0..1"},
    {"ease", "frequency_exponent=0..1"},
    {"slim", "l1=0.01..10:log"},
    {"slim", "l2=1..1000:log"},
    {"slim", "person_exponent=0..1"},
    {"slim", "frequency_exponent=0..1"},
    {"user_knn", "neighbours=50..1000:log"},
    {"user_knn", "person_exponent=0.2..1"},
    {"user_knn", "item_exponent=0..1"},
    {"user_knn", "target_exponent=0..0.6"},
    {"user_knn", "amplification=0.5..3"},
    {"spectral", "person_exponent=0.5..1.2"},
    {"spectral", "item_exponent=0.3..0.7"},
    {"spectral", "popularity=-0.2..0.6"},
    {"spectral", "sharpening=0..3"},
    {"spectral", "rank=16..256:log"},
    {"lightgcn", "layers=1|2|3"},
    {"lightgcn", "temperature=0.05..0.3:log"},
    {"lightgcn", "learning_rate=0.002..0.03:log"},
    {"sasrec", "blocks=1|2"},
    {"sasrec", "dropout=0.1..0.6"},
    {"sasrec", "learning_rate=0.0003..0.003:log"},
    {"sasrec", "negatives=256..4096:log"},
    {"bert4rec", "dropout=0.1..0.5"},
    {"bert4rec", "hidden_share=0.15..0.6"},
    {"bert4rec", "learning_rate=0.0003..0.003:log"},
    {"gru4rec", "temperature=0.05..0.15:log"},
    {"gru4rec", "dropout=0..0.6"},
    {"gru4rec", "learning_rate=0.001..0.01:log"},
    {"gru4rec", "negative_exponent=0..1"},
    {"caser", "temperature=0.05..0.15:log"},
    {"caser", "dropout=0..0.6"},
    {"caser", "recent=3..10"},
    {"neumf", "factors=16|32|64"},
    {"neumf", "learning_rate=0.001..0.01:log"},
    {"neumf", "weight_decay=0.001..1:log"},
    {"neumf", "dropout=0..0.5"},
    {"two_tower", "temperature=0.05..0.3:log"},
    {"two_tower", "learning_rate=0.0005..0.01:log"},
    {"two_tower", "history_decay=0.7..1"},
    {"two_tower", "dropout=0..0.5"},
    {"two_tower", "candidates=batch|uniform"},
    {"mult_vae", "beta=0.02..0.5:log"},
    {"mult_vae", "dropout=0.2..0.7"},
    {"mult_vae", "learning_rate=0.0003..0.003:log"},
    {"rec_vae", "gamma=0.001..0.02:log"},
    {"rec_vae", "dropout=0.2..0.7"},
    {"rec_vae", "learning_rate=0.0003..0.003:log"},
    {"content", "description_weight=0..1"},
    {"content", "label_weight=0..2"},
    {"rp3beta", "alpha=0.2..1.5"},
    {"rp3beta", "beta=0..1"},
    {"rp3beta", "neighbours=50..1000:log"},
    {"basket", "basket_decay=0.7..1"},
    {"basket", "own=0.3..1"},
    {"basket", "neighbours=50..1000:log"},
    {"basket", "asymmetry=0..1"},
    {"basket", "locality=0.5..5"},
    {"als", "factors=32..512:log"},
    {"als", "unobserved_weight=0.003..1:log"},
    {"als", "regularization=0.0001..0.1:log"},
    {"als", "exponent=0.5..1"},
    {"bpr", "factors=32..256:log"},
    {"bpr", "learning_rate=0.02..0.2:log"},
    {"bpr", "regularization=0.003..0.1:log"},
    {"bpr", "negatives=1|8|32"},
    {"mf", "factors=16..256:log"},
    {"mf", "implicit_regularization=1..1000:log"},
    {"node_embedding", "factors=32..256:log"},
    {"node_embedding", "person_exponent=0..1"},
    {"node_embedding", "context_exponent=0.25..1"},
    {"node_embedding", "spectrum=0..1"},
    {"node_embedding", "negatives=0.1..10:log"},
    {"session_knn", "neighbours=50..2000:log"},
    {"session_knn", "history_decay=0.5..1"},
    {"session_knn", "match_decay=0.5..1"},
    {"session_knn", "distance_decay=0.5..1"},
    {"session_knn", "length_exponent=0..0.7"},
    {"session_knn", "target_exponent=0..0.7"},
};

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return {};
  return number;
}

// A word as TOML would read it: 10, 0.5, true, else a string.
Value value_in(std::string_view word) {
  auto parsed = parse_toml("x = " + std::string(word), "value");
  if (parsed.ok() && word.find('\n') == std::string_view::npos) return *parsed->find("x");
  return std::string(word);
}

Error malformed(std::string_view text, std::string_view why) {
  return Error{Code::kInvalid,
               fmt::format("range '{}': {}; write key=low..high, key=low..high:log or "
                           "key=value|value",
                           text.substr(0, 80), why)};
}

// The option's own check of one value; its default where that is fine.
Result<Value> checked(const ModelKind& kind, const std::string& key, Value value) {
  VT_TRY(const Table defaults, kind.complete({}));
  const Value* usual = defaults.find(key);
  const bool whole = usual != nullptr && usual->as_int() != nullptr;
  if (usual != nullptr && usual->as_double() != nullptr && value.as_int() != nullptr) {
    value = value.number();
  }
  constexpr double kExact = 9007199254740992;  // 2^53: whole numbers up to here are exact
  if (whole && value.as_double() != nullptr && value.number() == std::floor(value.number()) &&
      std::abs(value.number()) <= kExact) {
    value = static_cast<std::int64_t>(value.number());
  }
  VT_TRY(const Table complete, kind.complete(Table{{key, value}}));
  return *complete.find(key);
}

void set_dimension(SearchSpace& space, Dimension dimension) {
  for (Dimension& known : space.dimensions) {
    if (known.key != dimension.key) continue;
    known = std::move(dimension);
    return;
  }
  space.dimensions.push_back(std::move(dimension));
}

// Three digits: settings are read by people, and more would mean nothing.
double rounded(double number) {
  if (number == 0) return 0;
  const double unit = std::pow(10.0, std::floor(std::log10(std::abs(number))) - 2);
  double out = 0;
  const std::string text = fmt::format("{:.10g}", std::round(number / unit) * unit);
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

Value Dimension::value_at(double coordinate) const {
  if (listed()) {
    const auto place = static_cast<std::size_t>(std::max(coordinate, 0.0));
    return values[std::min(place, values.size() - 1)];
  }
  const double u = std::clamp(coordinate, 0.0, 1.0);
  const double number = logarithmic ? low * std::pow(high / low, u) : low + (high - low) * u;
  if (whole) {
    return static_cast<std::int64_t>(std::clamp(std::round(rounded(number)), low, high));
  }
  return std::clamp(rounded(number), low, high);
}

double Dimension::coordinate_of(const Value& value) const {
  if (listed()) {
    const auto at = std::find(values.begin(), values.end(), value);
    return at == values.end() ? 0 : static_cast<double>(at - values.begin());
  }
  const double number = std::clamp(value.number(low), low, high);
  return logarithmic ? std::log(number / low) / std::log(high / low)
                     : (number - low) / (high - low);
}

Table SearchSpace::settings_at(std::span<const double> point) const {
  Table settings;
  for (std::size_t d = 0; d < dimensions.size(); ++d) {
    settings.set(dimensions[d].key, dimensions[d].value_at(point[d]));
  }
  return settings;
}

std::vector<double> SearchSpace::point_of(const Table& settings) const {
  std::vector<double> point;
  for (const Dimension& dimension : dimensions) {
    const Value* value = settings.find(dimension.key);
    point.push_back(value == nullptr ? 0 : dimension.coordinate_of(*value));
  }
  return point;
}

SearchSpace declared_space(const ModelKind& kind) {
  SearchSpace space;
  for (const Declared& declared : kDeclared) {
    if (declared.kind != kind.name) continue;
    const Status added = add_range(space, kind, declared.range);
    VT_CHECK(added.ok());
    space.dimensions.back().needs_times = declared.needs_times;
  }
  return space;
}

Status add_values(SearchSpace& space, const ModelKind& kind, std::string_view key,
                  const List& values) {
  Dimension dimension;
  dimension.key = key;
  for (const Value& given : values) {
    VT_TRY(Value value, checked(kind, dimension.key, given));
    const auto& known = dimension.values;
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      dimension.values.push_back(std::move(value));
    }
  }
  if (dimension.values.empty()) return malformed(key, "there is no value to try");
  set_dimension(space, std::move(dimension));
  return {};
}

Status add_range(SearchSpace& space, const ModelKind& kind, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return malformed(text, "there is no key and range");
  }
  const std::string key(text.substr(0, equals));
  std::string_view range = text.substr(equals + 1);
  const std::size_t dots = range.find("..");
  if (dots == std::string_view::npos) {
    List values;
    for (;;) {
      const std::size_t bar = range.find('|');
      values.push_back(value_in(range.substr(0, bar)));
      if (bar == std::string_view::npos) break;
      range.remove_prefix(bar + 1);
    }
    return add_values(space, kind, key, values);
  }
  Dimension dimension;
  dimension.key = key;
  if (range.ends_with(":log")) {
    dimension.logarithmic = true;
    range.remove_suffix(4);
  }
  const auto low = number_in(range.substr(0, dots)), high = number_in(range.substr(dots + 2));
  if (!low || !high) return malformed(text, "the ends must be numbers");
  if (!(*low < *high)) return malformed(text, "the lower end must be below the upper one");
  if (dimension.logarithmic && !(*low > 0)) {
    return malformed(text, "a logarithm needs a lower end above 0");
  }
  VT_TRY(const Value least, checked(kind, key, *low));
  VT_TRY(const Value most, checked(kind, key, *high));
  if (!least.is_number()) return malformed(text, "the option is no number");
  dimension.whole = least.as_int() != nullptr;
  dimension.low = *low;
  dimension.high = *high;
  set_dimension(space, std::move(dimension));
  return {};
}

}  // namespace vitrine
