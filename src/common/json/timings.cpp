#include "stest/timings.hpp"

#include <time.h>

#include <algorithm>

#include "common/os/nanoseconds.hpp"

namespace stest {
namespace {

std::uint64_t read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(nanoseconds(now));
}

}  // namespace

std::uint64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t process_begin_ns() {
  const auto used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  return monotonic_ns() - used;
}

std::uint64_t Timings::end_ns() const {
  auto end = begin_ns;
  for (const Stage& stage : stages) end += stage.ns;
  return end;
}

void Timings::end_stage(std::string_view name, std::uint64_t at_ns) {
  const auto begin = end_ns();
  stages.push_back({std::string(name), std::max(at_ns, begin) - begin});
}

}  // namespace stest
