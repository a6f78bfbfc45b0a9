#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stest {

/// Now, by the clock that all processes of a machine share (CLOCK_MONOTONIC), in nanoseconds.
std::uint64_t monotonic_ns();

/// When this process began, by the same clock, as near as can be told while it has not yet waited for
/// anything: as long ago as the CPU time that it has used, the loader's included.
std::uint64_t process_begin_ns();

/// Where the time of a run went: stages, each of which begins where the one before ends, so that together
/// they are the whole. Moments are those of `monotonic_ns`.
struct Timings {
  struct Stage {
    std::string name;
    std::uint64_t ns = 0;
    bool operator==(const Stage&) const = default;
  };
  std::uint64_t begin_ns = 0;
  std::vector<Stage> stages = {};

  std::uint64_t end_ns() const;
  /// Ends the stage that goes on. One that was over before it began has taken no time.
  void end_stage(std::string_view name, std::uint64_t at_ns);

  bool operator==(const Timings&) const = default;
};

}  // namespace stest
