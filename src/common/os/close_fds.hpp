#pragma once

#include <cstddef>

namespace stest {

/// Closes every descriptor from `first` upward except the `count` ones at `keep`, which ascend.
/// Async-signal-safe: for the time between fork and exec of a process with threads.
void close_fds_from(int first, const int* keep, std::size_t count);

/// The same through /proc/self/fd, for kernels without close_range (before 5.9).
void close_fds_by_listing(int first, const int* keep, std::size_t count);

}  // namespace stest
