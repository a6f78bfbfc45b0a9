#pragma once

#include <chrono>
#include <optional>

#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"

namespace stest {

/// What `stop_daemon` found and did.
struct Stopped {
  int pid = 0;
  bool by_force = false;  ///< It did not answer, and was ended by a signal.
};

/// How long each step may take.
struct StopPatience {
  std::chrono::milliseconds polite{10'000};    ///< For the daemon to end by itself.
  std::chrono::milliseconds terminate{5'000};  ///< After SIGTERM.
  std::chrono::milliseconds kill{5'000};       ///< After SIGKILL, of it and its descendants.
};

/// Ends the project's daemon now, and returns when it has really gone: its process ended and its lock
/// is free. Nothing where no daemon runs. A signal is only ever sent to the process that status.json
/// names if its start time matches and its executable is a `stestd`.
///
/// Errors: `daemon_unavailable` when it neither ends nor may be killed.
Result<std::optional<Stopped>> stop_daemon(const RuntimePaths& paths, const StopPatience& patience = {});

}  // namespace stest
