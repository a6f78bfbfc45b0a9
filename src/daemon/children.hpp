#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/os/process.hpp"

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

  /// A process that a run has left behind, and that is to live until the daemon ends.
  struct Left {
    ProcessIdentity process;
    std::string command;
    std::uint64_t run = 0;
  };
  /// Whether it was not known before.
  bool add_left(Left left);
  /// Those that still live.
  std::vector<Left> left() const;

  /// Sends SIGKILL to every descendant of this process until none is left. Gives up on processes
  /// that the kernel does not let die within some seconds.
  void kill_all();
  /// The same, but for what runs have left behind and its descendants.
  void kill_all_but_left();

 private:
  std::vector<int> not_left() const;
  void kill_until_none(const std::function<std::vector<int>()>& find);

  mutable std::mutex mutex_;
  std::vector<Left> left_;
  std::set<int> own_;  ///< Started here and not collected yet.
};

}  // namespace stest
