#include "model/person_index.h"

#include <algorithm>
#include <limits>

#include "model/item_rows.h"

namespace vitrine {
namespace {

// Of a cell: an event weighs at most a million and there are fewer than a billion of them. Products
// of any two histories are finite.
constexpr float kWeightMax = 1e15f;

Status check(const SparseRows& rows, const Array<std::uint32_t>& counts, std::uint32_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("persons: ") + what};
  };
  if (counts.size() != items) return corrupt("one count per item");
  if (rows.offsets.empty() || rows.offsets[0] != 0 ||
      rows.offsets[rows.rows()] != rows.columns.size() ||
      rows.rows() >= std::numeric_limits<std::uint32_t>::max()) {
    return corrupt("offsets must span the columns");
  }
  if (rows.columns.size() != rows.weights.size()) return corrupt("as many weights as columns");
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    if (rows.offsets[r] > rows.offsets[r + 1] || rows.offsets[r + 1] > rows.columns.size()) {
      return corrupt("offsets must rise");
    }
    const auto row = rows.row(r);
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (row[c] >= items) return corrupt("a column is beyond the items");
      if (c > 0 && row[c - 1] >= row[c]) return corrupt("columns must rise");
    }
  }
  const bool positive = std::all_of(rows.weights.begin(), rows.weights.end(),
                                    [](float w) { return w > 0 && w <= kWeightMax; });
  if (!positive) return corrupt("weights must be positive and bounded");
  return {};
}

}  // namespace

std::vector<std::uint32_t> rows_by_last_event(const Histories& histories) {
  std::vector<std::uint32_t> order;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    if (!histories.row(r).empty()) order.push_back(static_cast<std::uint32_t>(r));
  }
  const auto last = [&](std::uint32_t r) { return histories.row(r).back().time; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return last(a) < last(b); });
  return order;
}

PersonIndex::PersonIndex(SparseRows rows, std::uint32_t items)
    : rows_(std::move(rows)), by_item_(transposed(rows_, items)) {}

void PersonIndex::add_products(std::span<const WeightedRow> asked, std::size_t sample,
                               StampedSums& sums) const {
  for (const WeightedRow& a : asked) {
    auto persons = by_item_.row(a.row);
    auto weights = by_item_.row_weights(a.row);
    persons = persons.last(std::min(sample, persons.size()));
    weights = weights.last(persons.size());
    for (std::size_t p = 0; p < persons.size(); ++p) sums.add(persons[p], a.weight * weights[p]);
  }
}

void PersonIndex::add_common(std::span<const WeightedRow> asked, std::size_t sample,
                             StampedSums& sums) const {
  for (const WeightedRow& a : asked) {
    const auto persons = by_item_.row(a.row);
    for (const std::uint32_t u : persons.last(std::min(sample, persons.size()))) sums.add(u, 1);
  }
}

void save_persons(ArchiveWriter& writer, const PersonIndex& persons) {
  std::vector<std::uint32_t> counts;
  for (std::uint32_t i = 0; i < persons.items(); ++i) {
    counts.push_back(static_cast<std::uint32_t>(persons.count(i)));
  }
  writer.tensor("persons/offsets", persons.rows().offsets);
  writer.tensor("persons/items", persons.rows().columns);
  writer.tensor("persons/weights", persons.rows().weights);
  writer.tensor("persons/counts", counts);  // says how many items there are
}

Result<PersonIndex> load_persons(ArchiveReader& reader, std::uint32_t items) {
  SparseRows rows;
  VT_TRY(rows.offsets, reader.tensor<std::uint64_t>("persons/offsets"));
  VT_TRY(rows.columns, reader.tensor<std::uint32_t>("persons/items"));
  VT_TRY(rows.weights, reader.tensor<float>("persons/weights"));
  VT_TRY(const auto counts, reader.tensor<std::uint32_t>("persons/counts"));
  VT_TRY(check(rows, counts, items));
  return PersonIndex(std::move(rows), items);
}

}  // namespace vitrine
