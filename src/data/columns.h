// Which column feeds which field: the names in SourceOptions against the columns that a file has.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/import.h"

namespace vitrine {

// Where a field comes from: nowhere, a constant, or a column.
class FieldSource {
 public:
  static FieldSource constant(std::string_view text) { return FieldSource(text); }
  static FieldSource column(std::size_t index) { return FieldSource(index); }
  FieldSource() = default;

  std::string_view of(std::span<const std::string_view> fields) const {
    return column_ == kNone ? std::string_view(constant_) : fields[column_];
  }
  bool present() const { return column_ != kNone || !constant_.empty(); }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  explicit FieldSource(std::string_view text) : constant_(text) {}
  explicit FieldSource(std::size_t index) : column_(index) {}
  std::size_t column_ = kNone;
  std::string constant_;
};

// The columns of a CSV file, by its header or by position, or the keys of JSON Lines, which are
// whatever is asked for.
class Columns {
 public:
  static Columns of_header(std::string file, std::vector<std::string> names);
  static Columns of_positions(std::string file, std::size_t count);
  static Columns of_keys(std::string file);

  // `spec` is what the configuration says: "" (absent), "=text", "#3", or a name. An unknown name
  // is an error that shows those that exist.
  Result<FieldSource> find(std::string_view option, std::string_view spec);
  const std::vector<std::string>& names() const { return names_; }
  bool has(std::string_view name) const;

 private:
  enum class Kind { kHeader, kPositions, kKeys };
  Columns(Kind kind, std::string file, std::vector<std::string> names);
  Result<FieldSource> by_position(std::string_view option, std::string_view spec) const;
  Result<FieldSource> by_name(std::string_view option, std::string_view spec);
  Error wrong(std::string_view option, std::string message) const;

  Kind kind_;
  std::string file_;
  std::vector<std::string> names_;  // empty strings for positions
};

// An option of SourceOptions that names a column.
struct MappedOption {
  std::string_view option, spec;
};
// Those that are set, in the order of the struct. kInvalid when one is set that the source's kind
// does not have ("title: events have no such field").
Result<std::vector<MappedOption>> mapped_options(const SourceOptions& source);

// The first row names none of the mapped columns: it is no header. kInvalid, showing it.
Status check_header(const Columns& columns, const std::vector<MappedOption>& mapped,
                    std::string_view file, std::string_view first_row);

// The columns whose names speak for themselves ("customer_id", "sku"), for a source that maps none.
// The other columns of items and users become attributes; events without a type column get a
// default_type.
SourceOptions map_by_names(SourceOptions source, const std::vector<std::string>& names);

}  // namespace vitrine
