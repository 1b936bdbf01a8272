// The bounds that the server enforces beside those of ServerOptions.
#pragma once

namespace vitrine {

inline constexpr int kHeaderBytesMax = 16 * 1024;
inline constexpr int kIdleSecondsMax = 60;      // a kept-alive connection without a request
inline constexpr int kDrainSecondsMax = 5;      // running requests may finish after stop()
inline constexpr int kBlockingQueueMax = 1024;  // requests that wait for a writer thread
inline constexpr int kBlockingThreads = 16;     // they wait for the disk, and share its syncs

}  // namespace vitrine
