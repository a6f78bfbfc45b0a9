#pragma once

#include <mutex>
#include <set>

#include "common/process.hpp"

namespace stest {

/// The processes below the daemon, and the one place that collects how they ended: `wait` for those
/// started here, `reap_orphans` for all that fall to the daemon when their parent dies.
class Children {
 public:
  /// Makes orphaned descendants this process's own children, so that none escapes `kill_all`.
  static Status adopt_orphans();

  Result<int> spawn(const SpawnOptions& options);

  /// Blocks until `pid`, which `spawn` returned, has ended. To be called once for each.
  ExitStatus wait(int pid);

  /// Signals `pid` if `wait` has not collected it yet, so that a reused pid is never hit.
  void signal(int pid, int number);

  /// Collects orphans that have ended; never blocks.
  void reap_orphans();

  /// Sends SIGKILL to every descendant of this process until none is left. Gives up on processes
  /// that the kernel does not let die within some seconds.
  void kill_all();

 private:
  std::mutex mutex_;
  std::set<int> own_;  ///< Started here and not collected yet.
};

}  // namespace stest
