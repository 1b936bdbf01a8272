// What may be searched when a model is tuned: some of its options, each with a range or a list of
// values. A point of the space has one coordinate per dimension, in [0, 1) for a range (its
// logarithm where that is said) and the place in the list for values.
//
//   lambda=10..1000            a range, whole numbers where the option is one
//   lambda=10..1000:log        the same, even in the logarithm
//   similarity=cosine|bm25     values
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "model/model.h"

namespace vitrine {

struct Dimension {
  std::string key;
  double low = 0, high = 0;  // of a range
  bool logarithmic = false, whole = false;
  std::vector<Value> values;  // of a list; then there is no range
  bool needs_times = false;   // means nothing where events have no times

  bool listed() const { return !values.empty(); }
  Value value_at(double coordinate) const;
  // Of the nearest value that the dimension has.
  double coordinate_of(const Value& value) const;
};

struct SearchSpace {
  std::vector<Dimension> dimensions;

  Table settings_at(std::span<const double> point) const;     // the dimensions' keys alone
  std::vector<double> point_of(const Table& settings) const;  // a missing key is at 0
};

// The ranges that are worth searching for a kind: a row of the table in search_space.cc each. Empty
// for a kind without rows.
SearchSpace declared_space(const ModelKind& kind);

// Replaces or adds the dimension that `text` describes. kInvalid, naming what is allowed, where it
// is malformed, empty, or holds what the option would refuse.
Status add_range(SearchSpace& space, const ModelKind& kind, std::string_view text);
// The same for a recipe's list of values.
Status add_values(SearchSpace& space, const ModelKind& kind, std::string_view key,
                  const List& values);

}  // namespace vitrine
