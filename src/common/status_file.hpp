#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/os/process.hpp"
#include "common/os/surroundings.hpp"

namespace stest {

/// Where a daemon listens.
struct Endpoint {
  std::string socket;  ///< Path of the Unix socket; empty for TCP.
  int port = 0;        ///< TCP on 127.0.0.1.
  std::string token;   ///< Bearer token, TCP only.
};

/// What `.sprintest/status.json` says of the daemon: enough to reach it and to tell whether it is
/// the right one.
struct DaemonStatus {
  ProcessIdentity process;
  Surroundings surroundings;  ///< Where that process is; its pid means nothing elsewhere.
  std::string version;
  std::string build;   ///< `build_id()` of the daemon's executable.
  std::string python;  ///< The environment's interpreter.
  Endpoint endpoint;
  std::string state;                 ///< "idle", "warming", "running", "stopping"
  std::uint64_t since = 0;           ///< When that began, in seconds since the epoch.
  std::string last_result = "null";  ///< As JSON text; null before the first run.
};

/// Writes atomically (temporary file, rename), 0600. Errors: `internal`, a full disk for example.
Status write_status(const std::filesystem::path& file, const DaemonStatus& status);

/// Nothing if there is no file, if it cannot be parsed, or if its daemon no longer lives. One that cannot be
/// seen from here does not live.
std::optional<DaemonStatus> read_status(const std::filesystem::path& file);

/// The same, whether or not its daemon lives.
std::optional<DaemonStatus> read_last_status(const std::filesystem::path& file);

/// Tells two builds of one version apart: device, inode, size and mtime of the file.
std::string build_id(const std::filesystem::path& executable);

}  // namespace stest
