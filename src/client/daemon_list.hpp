#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"

namespace stest {

/// A living daemon of this user, of any installation and any project.
struct FoundDaemon {
  ProcessIdentity process;
  std::filesystem::path executable;
  bool is_executable_deleted = false;  ///< Or it has been replaced by another one.
  std::filesystem::path python;
  RuntimePaths paths;           ///< As the daemon's own command line and environment give them.
  bool is_root_gone = false;    ///< There is no such folder, as far as can be seen from here.
  std::int64_t started_at = 0;  ///< In seconds since the epoch.
  std::uint64_t memory = 0;     ///< Of the daemon and all its descendants, in bytes.
  std::size_t processes = 0;    ///< How many these are.
  std::optional<DaemonStatus>
      status;  ///< Nothing if no client can reach it from here: its files are missing,
               ///< or belong to another daemon, or it runs in another sandbox.
};

/// Finds the daemons by what /proc shows, because a list that they kept themselves could be out of date. The
/// youngest one comes first, so that a daemon that a test has started comes before the daemon of that test.
///
/// A process is a daemon if its executable is a `stestd`, and its status file names it or it has its lock
/// file open. The name alone is not enough. Daemons that /proc does not show, as outside of a container, are
/// not found.
std::vector<FoundDaemon> find_daemons();

}  // namespace stest
