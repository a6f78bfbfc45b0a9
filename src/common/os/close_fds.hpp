#pragma once

#include <cstddef>

namespace stest {

/// Closes every descriptor from `first` upward except the `count` ones at `keep`, which must be in ascending
/// order. Async-signal-safe, so that a process with threads can use it between fork and exec.
void close_fds_from(int first, const int* keep, std::size_t count);

/// The same by means of /proc/self/fd, for kernels without close_range (before 5.9).
void close_fds_by_listing(int first, const int* keep, std::size_t count);

}  // namespace stest
