// The bounds that the server enforces beside those of ServerOptions.
#pragma once

#include <cstddef>

namespace vitrine {

inline constexpr int kHeaderBytesMax = 16 * 1024;
inline constexpr int kReadBytes = 4 * 1024;        // an idle connection holds a buffer of this size
inline constexpr int kBodyReadBytes = 64 * 1024;   // at a time
inline constexpr int kIdleSecondsMax = 60;         // a kept-alive connection without a request
inline constexpr int kLingerSecondsMax = 2;        // a refused client may finish sending
inline constexpr int kSweepMs = 250;               // between looks for what took too long
inline constexpr int kAcceptsAtOnce = 64;          // before what was read goes on
inline constexpr int kAcceptPauseMs = 50;          // when there are no descriptors left
inline constexpr int kDrainSecondsMax = 5;         // running requests may finish after stop()
inline constexpr int kBlockingQueueMax = 1024;     // requests that wait for a blocking thread
inline constexpr int kBlockingThreads = 16;        // they wait for the disk, and share its syncs
inline constexpr std::size_t kWaitingAlways = 16;  // requests that may wait for a turn anyway
inline constexpr double kStandingSeconds = 1;      // of waits that were too long: it is overload
inline constexpr int kReadUs = 1'000;              // reading before answering goes on
inline constexpr int kAnswerUs = 4'000;            // answering before reading goes on
inline constexpr int kDeadlineMsMax = 60'000;
inline constexpr std::size_t kGatheredBytesMax = 8 * 1024;  // of a body that is joined with others
inline constexpr int kReasonBytesMax = 1000;                // of a training that is asked for

}  // namespace vitrine
