// The part of every model's archive that is the same: its complete options and the number of items
// it knows, as documents "options" and "items".
#pragma once

#include <cstdint>
#include <limits>
#include <utility>

#include "base/archive.h"
#include "base/options.h"

namespace vitrine {

template <class Options>
void save_options(ArchiveWriter& writer, const Options& options, std::uint32_t items) {
  writer.document("options", write_options(options));
  writer.document("items", items);
}

// The options are checked like those of a configuration; kCorrupt otherwise.
template <class Options>
Result<std::pair<Options, std::uint32_t>> load_options(const ArchiveReader& reader) {
  VT_TRY(const Value document, reader.document("options"));
  VT_TRY(const Value items, reader.document("items"));
  const std::int64_t* count = items.as_int();
  if (document.as_table() == nullptr || count == nullptr || *count < 0 ||
      *count > std::numeric_limits<std::uint32_t>::max()) {
    return Error{Code::kCorrupt, "a model needs a table of options and its number of items"};
  }
  auto options = read_options<Options>(*document.as_table(), Options::kName);
  if (!options.ok()) return Error{Code::kCorrupt, options.error().message};
  return std::pair(std::move(options).value(), static_cast<std::uint32_t>(*count));
}

}  // namespace vitrine
