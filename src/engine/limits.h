// What the engine bounds. The server's own limits (body, batch, n) are options of [server].
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine {

inline constexpr std::size_t kHistoryMax = 5'000;  // live events kept of each person
inline constexpr std::size_t kQueryHistoryMax =
    300;  // of these, the latest that models are asked with
inline constexpr std::uint64_t kLiveBytesMax = std::uint64_t{1} << 30;  // persons in memory
inline constexpr std::uint64_t kStoredSessionsMax = 1'000'000;  // of anonymous visitors, on disk
inline constexpr int kPopularDays = 92;                         // days with counts of their own
inline constexpr int kPopularHours = 48;                        // hours with counts of their own
inline constexpr std::size_t kRegionsMax = 32;                  // regions with counts of their own
inline constexpr int kRegionDays = 28;                 // days and, like above, hours of these
inline constexpr std::size_t kRegionItemsMax = 4'096;  // items in one of them
inline constexpr std::size_t kRegionBytesMax = 64;     // longer names of regions are ignored
inline constexpr int kTrendHours = 24;                 // of a trend, unless asked otherwise
inline constexpr int kTrendBaselineDays = 28;          // what is trending is measured against
inline constexpr double kTrendPrior = 5;               // weight added to both sides of a rise
inline constexpr double kTrendFloor = 3;               // weight that an item must have had lately
inline constexpr double kTrendDeviations = 2;        // by which that must exceed what was expected
inline constexpr int kListMax = 10'000;              // items asked for in one list
inline constexpr std::size_t kBatchMax = 1'000'000;  // records in one call
inline constexpr std::size_t kRequestHistoryMax = 1'000;  // events given with a request
inline constexpr std::size_t kRequestIdsMax = 10'000;     // excluded ids, cart, categories
inline constexpr std::int64_t kSequenceWaitMs = 500;  // for a state that holds min_sequence, when
inline constexpr std::uint64_t kSequenceAheadMax = kBatchMax;  // it lacks no more records than this
inline constexpr std::size_t kCategoryBytesMax = 1'024;        // of a category path in a request
inline constexpr std::size_t kCategoryMasksMax = 64;           // remembered category filters
inline constexpr std::uint64_t kCheckpointRecords = 5'000'000;  // a checkpoint is made after these
inline constexpr int kRetentionDays = 3;  // that must bear witness before old events are dropped
inline constexpr int kRetentionSpanDays = 7;  // within which they lie
inline constexpr std::size_t kSlateQueueMax =
    8'192;                                         // slates waiting to be written; more are dropped
inline constexpr std::size_t kSlateBatch = 256;    // slates that are written at once
inline constexpr std::int64_t kSlateDelayMs = 50;  // before a smaller batch is
inline constexpr std::uint64_t kSlateFileBytes = 64 << 20;  // a slate file is closed at this size
inline constexpr std::size_t kSlateFilesMax = 64;           // older slate files are removed
inline constexpr std::size_t kNewItemsMax = 10'000;     // the newest items that no model knows yet
inline constexpr std::size_t kNewItemsListed = 50;      // of these, drawn from for one list
inline constexpr std::size_t kNewItemsHistory = 50;     // latest events that they are matched with
inline constexpr std::size_t kFrozenSlatesMax = 2'000;  // lists that can be paged through
inline constexpr int kFrozenItemsMax = 200;             // of one of them
inline constexpr std::size_t kDriftVisitors = 300;      // whose lists two snapshots are compared by
inline constexpr std::size_t kTrainerOutputBytes =
    4'096;                                      // of a trainer's last words, kept for the status
inline constexpr int kRetryDoublingsMax = 10;   // of the pause before a training is begun again
inline constexpr int kSnapshotPollSeconds = 2;  // how often another process's publication is seen

}  // namespace vitrine
