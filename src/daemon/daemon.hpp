#pragma once

#include <filesystem>

#include "stest/error.hpp"

namespace stest {

/// The daemon's command line.
struct DaemonOptions {
  std::filesystem::path root;
  int lock_fd = -1;   ///< A descriptor that holds `daemon.lock`; -1: the daemon takes the lock itself.
  int ready_fd = -1;  ///< Gets "ready\n", or "error\n" and the error as JSON; -1: foreground.
  std::filesystem::path package = {};  ///< See `WorkerProgram`.
};

/// Serves until it is stopped by HTTP, SIGTERM, SIGINT or SIGHUP, because it is idle for too long,
/// or because its root, its state folder or its installation has gone. On return no process, socket or status
/// file is left. Must be called once, before any thread exists.
///
/// The lock order is: StatusBoard, then one of Service, WorkerManager and RunQueue. While another lock is
/// held, no further one is taken.
Status run_daemon(const DaemonOptions& options);

}  // namespace stest
