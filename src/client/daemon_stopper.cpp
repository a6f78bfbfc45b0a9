#include "client/daemon_stopper.hpp"

#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "client/backoff.hpp"
#include "client/client.hpp"
#include "client/http_exchange.hpp"
#include "common/os/file_lock.hpp"
#include "common/os/process.hpp"

namespace stest {
namespace {

using Clock = std::chrono::steady_clock;

bool is_lock_free(const RuntimePaths& paths) {
  std::error_code ignored;
  if (!std::filesystem::exists(paths.lock_file, ignored)) return true;
  const auto lock = FileLock::try_acquire(paths.lock_file);
  return lock && *lock;
}

/// The next daemon may hold the lock already.
bool has_gone(const RuntimePaths& paths, const ProcessIdentity& process) {
  if (is_alive(process)) return false;
  const auto other = read_status(paths.status_file);
  return (other && other->process != process) || is_lock_free(paths);
}

/// If an installation has replaced the file, the link is "PATH/stestd (deleted)".
bool is_stestd(const ProcessIdentity& process) {
  std::error_code error;
  const auto link = std::filesystem::read_symlink("/proc/" + std::to_string(process.pid) + "/exe", error);
  if (error || !is_alive(process)) return false;
  return link.filename() == "stestd" || link.filename() == "stestd (deleted)";
}

std::vector<ProcessIdentity> identify_all(const std::vector<int>& pids) {
  std::vector<ProcessIdentity> found;
  for (const int pid : pids) {
    if (const auto process = identify(pid)) found.push_back(*process);
  }
  return found;
}

void kill_if_alive(const ProcessIdentity& process) {
  if (is_alive(process)) ::kill(process.pid, SIGKILL);
}

/// Needs the lock, because the files may belong to a new daemon.
void remove_leftovers_under_lock(const RuntimePaths& paths) {
  const auto lock = FileLock::try_acquire(paths.lock_file);
  if (lock && *lock) remove_leftovers(paths);
}

/// Ends the process and its descendants. These are looked up first, because they cannot be found after the
/// death of their parent. Returns whether SIGTERM was enough; nothing if the process is not a `stestd`.
template <class Condition>
std::optional<bool> signal_all(const ProcessIdentity& process, const StopPatience& patience,
                               const Condition& gone) {
  if (!is_stestd(process)) return std::nullopt;
  const auto family = identify_all(descendants(process.pid));
  ::kill(process.pid, SIGTERM);
  const bool has_ended = wait_until(Clock::now() + patience.terminate, gone);
  if (!has_ended) kill_if_alive(process);
  for (const auto& member : family) kill_if_alive(member);
  return has_ended;
}

bool end_by_force(const RuntimePaths& paths, const ProcessIdentity& process, const StopPatience& patience) {
  const auto gone = [&] { return has_gone(paths, process); };
  return signal_all(process, patience, gone) && wait_until(Clock::now() + patience.kill, gone);
}

tl::unexpected<Error> does_not_end(const RuntimePaths& paths, int pid) {
  const auto who = pid > 0 ? "the daemon (pid " + std::to_string(pid) + ")" : "the daemon";
  return fail(ErrorCode::daemon_unavailable, who + " of " + paths.root.string() + " does not end",
              "see `stest logs`; its lock is " + paths.lock_file.string());
}

}  // namespace

Result<std::optional<Stopped>> stop_daemon(const RuntimePaths& paths, const StopPatience& patience) {
  std::error_code ignored;
  if (!std::filesystem::exists(paths.directory, ignored)) return std::nullopt;
  // If there is no status and the lock is held, a daemon is starting or ending.
  std::optional<DaemonStatus> daemon;
  const auto settled = [&] { return (daemon = read_status(paths.status_file)) || is_lock_free(paths); };
  if (!wait_until(Clock::now() + patience.polite, settled)) return does_not_end(paths, 0);
  if (!daemon) return std::nullopt;

  const auto process = daemon->process;
  // If a sandbox denies the connection, the daemon cannot be asked, and waiting is useless.
  const bool can_ask = is_listening(daemon->endpoint).has_value();
  const auto deadline = Clock::now() + (can_ask ? patience.polite : std::chrono::milliseconds::zero());
  (void)DaemonClient(daemon->endpoint).stop(StopWhen::now);  // The wait below shows whether it ends.
  if (wait_until(deadline, [&] { return has_gone(paths, process); })) return Stopped{process.pid, false};
  if (!end_by_force(paths, process, patience)) return does_not_end(paths, process.pid);
  remove_leftovers_under_lock(paths);
  return Stopped{process.pid, true};
}

Result<Stopped> stop_daemon(const FoundDaemon& found, const StopPatience& patience) {
  const auto& process = found.process;
  if (found.status) {
    const auto stopped = stop_daemon(found.paths, patience);
    if (!stopped) return tl::unexpected(stopped.error());
    if (*stopped && (*stopped)->pid == process.pid) return **stopped;
  }
  // Its files are missing, or belong to another daemon or sandbox, so only its process counts.
  const auto gone = [&] { return !is_alive(process); };
  if (gone()) return Stopped{process.pid, false};
  const auto ended = signal_all(process, patience, gone);
  if (!wait_until(Clock::now() + patience.kill, gone)) return does_not_end(found.paths, process.pid);
  return Stopped{process.pid, !ended.value_or(true)};
}

}  // namespace stest
