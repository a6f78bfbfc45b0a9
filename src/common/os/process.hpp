#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/config.hpp"
#include "stest/process_attributes.hpp"

namespace stest {

/// Identifies a process, and distinguishes it from a later one with the same pid.
struct ProcessIdentity {
  int pid = 0;
  std::uint64_t start_time = 0;  ///< Clock ticks since boot (field 22 of /proc/PID/stat).
  auto operator<=>(const ProcessIdentity&) const = default;
};

/// The identity of a living process (a zombie does not count); nothing if there is none.
std::optional<ProcessIdentity> identify(int pid);

/// Whether this process still lives.
bool is_alive(const ProcessIdentity& identity);

/// A living process, as it was when /proc was read.
struct ProcessView {
  ProcessIdentity identity;
  int parent = 0;
  int group = 0;
  int session = 0;
};

/// All living processes that /proc shows.
std::vector<ProcessView> living_processes();

/// Every living descendant of `pid`, children before grandchildren.
std::vector<ProcessView> living_descendants(int pid);
/// The pids of these.
std::vector<int> descendants(int pid);

/// The children of `pid`, including zombies. Cheap: does not read other processes, unless the kernel does not
/// list children.
std::vector<int> children_of(int pid);

/// 0 if there is no such process.
int parent_of(int pid);

/// The arguments of a process, separated by spaces; "[NAME]" if it has none.
std::string command_line(int pid);

/// The system call in which the main thread of a process is blocked.
struct BlockedCall {
  long number = -1;
  std::uint64_t first_argument = 0;
};

/// Nothing if that thread runs, the process has ended, or this process may not know it, as on a kernel that
/// is hardened.
std::optional<BlockedCall> blocked_call(int pid);

/// Resident memory in bytes; nothing if the process has ended.
std::optional<std::uint64_t> resident_memory(int pid);

/// The memory of a process, in bytes, where a page that several processes share counts only in part (PSS). So
/// the sum over several processes is what they hold together. The resident memory if the kernel does not
/// tell; nothing if the process has ended. Takes milliseconds for a process that holds gigabytes.
std::optional<std::uint64_t> proportional_memory(int pid);

/// "512 MiB"
std::string mebibytes(std::uint64_t bytes);

struct SpawnOptions {
  std::filesystem::path executable;
  std::vector<std::string> args;     ///< Without argv[0], which is `executable`.
  const Environment* env = nullptr;  ///< The child's whole environment; nothing: inherit.
  std::string cwd;                   ///< Empty: inherit.
  std::map<int, int> fds;            ///< The child's descriptor → ours. All others are closed; 0, 1 and 2
                                     ///< are /dev/null if they are not given.
  bool new_session = false;          ///< setsid() in the child.
  bool dies_with_parent = false;     ///< SIGKILL when the thread that spawned it ends.
  std::vector<int> affinity;         ///< Processors; empty: inherit. Errors are ignored.
  std::optional<Limit> stack;        ///< The stack limit; nothing: inherit. Errors are ignored.
};

/// Starts a process. All signals have their default action and are unblocked in it. Returns its pid; the
/// caller must wait for it. Errors: `internal`, with the executable's path.
Result<int> spawn(const SpawnOptions& options);

/// How a process ended.
struct ExitStatus {
  std::optional<int> code;
  std::optional<int> signal;
};

/// Waits for a child, also after EINTR. Nothing if `pid` is not a child.
std::optional<ExitStatus> wait_for(int pid);

/// Whether a child has ended. It is not reaped, so its pid is not reused. True if `pid` is not a child.
bool has_ended(int pid);

/// "SIGSEGV" for 11; "signal 77" for an unnamed one.
std::string signal_name(int signal);

/// Closes every descriptor from 3 upward except `keep`.
void close_other_fds(const std::vector<int>& keep);

/// The folder of the running executable, with links resolved.
std::filesystem::path executable_folder();

/// This process's environment.
Environment current_environment();

}  // namespace stest
