#pragma once

#include <chrono>
#include <optional>

#include "client/daemon_list.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"

namespace stest {

/// What `stop_daemon` found and did.
struct Stopped {
  int pid = 0;
  bool by_force = false;  ///< It did not end when asked, and was ended by a signal.
};

/// How long each step may take.
struct StopPatience {
  std::chrono::milliseconds polite{10'000};    ///< After the request to end.
  std::chrono::milliseconds terminate{5'000};  ///< After SIGTERM.
  std::chrono::milliseconds kill{5'000};       ///< After SIGKILL, of it and its descendants.
};

/// Ends the project's daemon now. Returns when its process has ended and its lock is free; nothing if no
/// daemon runs. A signal is sent only if the start time of the process that status.json names matches, and
/// its executable is a `stestd`.
///
/// Errors: `daemon_unavailable` if it does not end and cannot be killed.
Result<std::optional<Stopped>> stop_daemon(const RuntimePaths& paths, const StopPatience& patience = {});

/// The same for a daemon that was found in /proc. If no client can reach it, it is ended by signals. Returns
/// when its process has ended, which may be at once.
Result<Stopped> stop_daemon(const FoundDaemon& found, const StopPatience& patience = {});

}  // namespace stest
