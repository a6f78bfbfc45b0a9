#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "common/os/file_lock.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"

namespace stest {

/// What a daemon must be to serve this client.
struct Installation {
  std::filesystem::path daemon;  ///< `stestd` beside our own executable.
  std::string version;
  std::string build;          ///< `build_id()` of `daemon`.
  std::string python;         ///< The interpreter of the same environment.
  bool tcp = false;           ///< It must serve TCP; else it may as well.
  std::optional<int> port{};  ///< With `tcp`: at this port.
};

/// The installation that the running executable belongs to, with what the variables of `env` ask for.
Installation own_installation(const Environment& env);

/// Why the daemon that holds the project's lock, if one does, is none for this process: it is in another
/// namespace or sandbox. Its files are left alone.
Status check_surroundings(const RuntimePaths& paths);

/// The same, of one that cannot be seen or signalled from here at all.
Status check_visibility(const RuntimePaths& paths);

/// Takes one line for the user about something that takes long.
using Notice = std::function<void(const std::string&)>;

/// Finds the one daemon of a project, or starts it, or replaces one of another installation. A daemon that it
/// has started it tries out, and ends it again where a sandbox keeps the two apart. Any
/// number of launchers, in any number of processes, may do so at once. Limits: a daemon has 60 s
/// (`patience`) to become ready; one that is to be replaced has as long as its runs take.
class DaemonLauncher {
 public:
  DaemonLauncher(RuntimePaths paths, Installation wanted, Notice notice,
                 std::chrono::milliseconds patience = std::chrono::seconds(60));

  /// The daemon that serves this installation. Errors: what the daemon itself says on its way up (a
  /// bad configuration), else `daemon_unavailable` with the end of its log.
  Result<DaemonStatus> ensure();

 private:
  using Clock = std::chrono::steady_clock;

  bool serves_us(const DaemonStatus& daemon) const;
  std::string mismatch(const DaemonStatus& daemon) const;
  Status await_end(const DaemonStatus& daemon);
  void announce_replacement(const DaemonStatus& daemon);
  Result<std::optional<DaemonStatus>> find() const;
  Result<std::optional<DaemonStatus>> try_start();
  Status start(const FileLock& lock);
  Result<int> spawn_daemon(const FileLock& lock, int ready_fd) const;
  Status await_readiness(int pid, int ready_fd, std::uint64_t log_start);
  Status try_out_or_end(int pid) const;
  Error held(const std::string& remark) const;
  Error early_end(int pid, std::uint64_t log_start) const;
  void say_once(const std::string& line);

  RuntimePaths paths_;
  Installation wanted_;
  Notice notice_;
  std::chrono::milliseconds patience_;
  Clock::time_point begin_;
  Clock::time_point deadline_;
  std::string said_;
};

}  // namespace stest
