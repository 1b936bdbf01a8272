// What the store bounds.
#pragma once

#include <cstddef>

namespace vitrine {

inline constexpr std::size_t kLogBatchBytesMax = 64 << 20;  // of one append: payloads and headers
inline constexpr std::size_t kLogGroupBytesMax =
    4 << 20;                                        // concurrent appends join one write up to this
inline constexpr std::size_t kLogGroupMax = 1'024;  // and so many of them
inline constexpr std::size_t kCompactedFrameBytes = 1 << 20;  // of a compacted segment, about
inline constexpr int kLookTries = 10;  // at a folder whose segments are being replaced
inline constexpr std::size_t kStateCacheBytes = 32 << 20;  // RocksDB's block cache
inline constexpr std::size_t kStateMemtableBytes = 16 << 20;

}  // namespace vitrine
