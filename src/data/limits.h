// What bounds an import, whatever the file's size.
#pragma once

#include <cstddef>

namespace vitrine {

inline constexpr std::size_t kLineBytesMax = 1 << 20;      // one line, and one row of several lines
inline constexpr std::size_t kQuotedBytesMax = 64 * 1024;  // a row whose quoted fields span lines
inline constexpr std::size_t kQuotedLinesMax = 100;        // the same in lines
inline constexpr std::size_t kColumnsMax = 4096;
inline constexpr std::size_t kReadBytes = 256 * 1024;  // one read of a file
inline constexpr std::size_t kImportBatchRows = 10'000;
inline constexpr std::size_t kImportBatchBytes = 8 << 20;
inline constexpr std::size_t kImportReasonsMax = 10;

}  // namespace vitrine
