#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "common/os/fd.hpp"
#include "daemon/run/gpu_list.hpp"
#include "daemon/run/run_control.hpp"
#include "daemon/run/run_programs.hpp"
#include "stest/config.hpp"
#include "stest/messages.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// One run, from its admission to its end. Immutable, except `control` and `programs`, and `timings` and
/// `fds`, which only the run's thread uses.
struct Run {
  std::uint64_t id = 0;
  RunRequest request;
  Config config;
  std::int64_t since = 0;  ///< When it arrived, in seconds since the epoch.
  Timings timings;         ///< Since it arrived.
  RunControl control;
  std::uint64_t parent = 0;  ///< The run whose processes have started this program; 0: none.
  RunPrograms programs;
  /// The client's stdin, stdout and stderr, if it has sent them, until the process has them.
  std::vector<Fd> fds = {};
};

/// The process that runs the tests.
inline protocol::RunMode mode_of(const Config& config) {
  return config.isolation == "resident" ? protocol::RunMode::resident : protocol::RunMode::fork;
}

/// What the worker needs to know of it.
inline protocol::RunTest message_for(const Run& run) {
  const auto& request = run.request;
  return {run.id,
          request.args,
          request.cwd,
          request.env,
          request.umask,
          request.python ? protocol::RunMode::fork : mode_of(run.config),
          run.config.memory_limit.value_or(0),
          run.config.prime,
          request.process,
          request.python,
          gpu_list(run.config, request.env)};
}

/// The client of a run. Both functions are called only by the run's thread.
struct Listener {
  EventSink emit;
  std::function<bool()> alive;  ///< Whether the client is still connected.
};

/// Whether a waiting run should go on: its client is connected, and it was not cancelled.
inline bool is_wanted(const Run& run, const Listener& listener) {
  return !run.control.strongest() && listener.alive();
}

/// How often a waiting run checks `is_wanted`.
inline constexpr std::chrono::milliseconds liveness_interval{200};

}  // namespace stest
