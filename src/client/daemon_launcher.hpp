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

/// The properties that a daemon must have to serve this client.
struct Installation {
  std::filesystem::path daemon;  ///< `stestd` in the folder of our executable.
  std::string version;
  std::string build;          ///< `build_id()` of `daemon`.
  std::string python;         ///< The interpreter that runs the tests.
  bool tcp = false;           ///< It must serve TCP. Otherwise it may serve either.
  std::optional<int> port{};  ///< With `tcp`: at this port.
  /// stest's own interpreter, if `python` is another one that `env`, the client's, has chosen; else empty.
  std::string own_python{};
  Environment env{};
};

/// The installation of the running executable, with the settings in `env`.
Installation own_installation(const Environment& env);

/// Errors: `daemon_unavailable` if the project's daemon runs in another namespace or sandbox than this
/// process. Its files are left alone.
Status check_surroundings(const RuntimePaths& paths);

/// The same, but only if this process cannot see or signal the daemon.
Status check_visibility(const RuntimePaths& paths);

/// Takes one line for the user about something that takes a while.
using Notice = std::function<void(const std::string&)>;

/// Finds the daemon of a project, or starts it, or replaces one of another installation. Tries out a daemon
/// that it has started, and ends it again if a sandbox separates the two. Any number of launchers, in any
/// number of processes, may work at once. Limits: a daemon has 60 s (`patience`) to become ready. One that is
/// replaced may finish its runs first.
class DaemonLauncher {
 public:
  DaemonLauncher(RuntimePaths paths, Installation wanted, Notice notice,
                 std::chrono::milliseconds patience = std::chrono::seconds(60));

  /// The daemon that serves this installation. Errors: `config` if no worker can use the chosen Python; the
  /// error that the daemon reports at its start; else `daemon_unavailable` with the end of its log.
  Result<DaemonStatus> ensure();

 private:
  using Clock = std::chrono::steady_clock;

  bool serves_us(const DaemonStatus& daemon) const;
  std::string mismatch(const DaemonStatus& daemon) const;
  Status check_python();
  Status await_end(const DaemonStatus& daemon);
  void announce_replacement(const DaemonStatus& daemon);
  Result<DaemonStatus> find_or_start();
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
  std::string package_;  ///< See `own_package`; empty if the Python is stest's own.
};

}  // namespace stest
