#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "daemon/run/run_control.hpp"
#include "stest/config.hpp"
#include "stest/messages.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// One request to run tests, from its admission to its end. Immutable but for `control`, and for `timings`,
/// which are of the run's own thread.
struct Run {
  std::uint64_t id = 0;
  RunRequest request;
  Config config;
  std::int64_t since = 0;  ///< Its arrival, in seconds since the epoch.
  Timings timings;         ///< From its arrival on.
  RunControl control;
};

/// Which process is to run its tests.
inline protocol::RunMode mode_of(const Config& config) {
  return config.isolation == "resident" ? protocol::RunMode::resident : protocol::RunMode::fork;
}

/// Who listens to a run; both are called in the run's own thread only.
struct Listener {
  EventSink emit;
  std::function<bool()> alive;  ///< Whether the client is still there; to be asked now and then.
};

/// Whether a run that waits is to go on: its client is there, and nobody has cancelled it.
inline bool is_wanted(const Run& run, const Listener& listener) {
  return !run.control.strongest() && listener.alive();
}

/// How often a waiting run asks `is_wanted`.
inline constexpr std::chrono::milliseconds liveness_interval{200};

}  // namespace stest
