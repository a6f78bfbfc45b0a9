#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/os/process.hpp"
#include "common/os/surroundings.hpp"

namespace stest {

/// The address at which a daemon listens.
struct Endpoint {
  std::string socket;  ///< Path of the Unix socket; empty for TCP.
  int port = 0;        ///< TCP on 127.0.0.1.
  std::string token;   ///< Bearer token, TCP only.
};

/// The contents of `.sprintest/status.json`: how to reach the daemon, and whether it is the right one.
struct DaemonStatus {
  ProcessIdentity process;
  Surroundings surroundings;  ///< Of that process; in another PID namespace its pid has no meaning.
  std::string version;
  std::string build;   ///< `build_id()` of the daemon's executable.
  std::string python;  ///< The environment's interpreter.
  Endpoint endpoint;
  std::string state;                 ///< "idle", "warming", "running", "stopping"
  std::uint64_t since = 0;           ///< When this state began, in seconds since the epoch.
  std::string last_result = "null";  ///< As JSON text; null before the first run.
};

/// Writes the file atomically (temporary file, rename), 0600. Errors: `internal`, for example if the disk is
/// full.
Status write_status(const std::filesystem::path& file, const DaemonStatus& status);

/// Nothing if there is no file, if it cannot be parsed, or if its daemon does not live. A daemon that cannot
/// be seen from here counts as one that does not live.
std::optional<DaemonStatus> read_status(const std::filesystem::path& file);

/// The same, but the daemon need not live.
std::optional<DaemonStatus> read_last_status(const std::filesystem::path& file);

/// Distinguishes two builds of one version: device, inode, size and mtime of the file.
std::string build_id(const std::filesystem::path& executable);

}  // namespace stest
