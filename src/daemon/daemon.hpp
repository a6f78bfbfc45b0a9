#pragma once

#include <filesystem>

#include "stest/error.hpp"

namespace stest {

/// The daemon's command line.
struct DaemonOptions {
  std::filesystem::path root;
  int lock_fd = -1;   ///< A descriptor that holds `daemon.lock`; -1: the daemon takes the lock itself.
  int ready_fd = -1;  ///< Gets "ready\n", or "error\n" and the error as JSON; -1: foreground.
};

/// Serves until it is stopped, by HTTP, by SIGTERM, SIGINT or SIGHUP, or by its own idleness. On return
/// no process, socket or status file is left behind. To be called once, before any thread exists.
///
/// The order of the locks that its parts hold at the same time: StatusBoard, then any one of Service,
/// WorkerManager and RunQueue. All others are leaves.
Status run_daemon(const DaemonOptions& options);

}  // namespace stest
