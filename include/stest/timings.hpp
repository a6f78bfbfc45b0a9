#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stest {

/// The present time in nanoseconds, by the clock that all processes of a machine share (CLOCK_MONOTONIC).
std::uint64_t monotonic_ns();

/// When this process began, by the same clock: as long ago as the CPU time that it has used, including the
/// loader's. This is accurate only while the process has not waited for anything.
std::uint64_t process_begin_ns();

/// Where the time of a run went. Each stage begins when the one before it ends, so the stages cover the whole
/// time. Times are those of `monotonic_ns`.
struct Timings {
  struct Stage {
    std::string name;
    std::uint64_t ns = 0;
    bool operator==(const Stage&) const = default;
  };
  std::uint64_t begin_ns = 0;
  std::vector<Stage> stages = {};

  std::uint64_t end_ns() const;
  /// Ends the current stage, and names it. If `at_ns` is before its begin, the stage has taken no time.
  void end_stage(std::string_view name, std::uint64_t at_ns);

  bool operator==(const Timings&) const = default;
};

}  // namespace stest
