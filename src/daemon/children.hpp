#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/os/process.hpp"

namespace stest {

/// The processes below the daemon. Only this class reaps them: `wait` those that it started, `reap_orphans`
/// those that become children of the daemon when their parent dies.
class Children {
 public:
  /// Makes orphaned descendants children of this process, so that `kill_all` finds all of them.
  static Status adopt_orphans();

  Result<int> spawn(const SpawnOptions& options);

  /// Waits until `pid`, which `spawn` returned, has ended, and reaps it. Must be called once for each.
  ExitStatus wait(int pid);

  /// Signals `pid` if `wait` has not reaped it yet, so that a reused pid never gets the signal.
  void signal(int pid, int number);
  /// The same for the process group that `pid` leads.
  void signal_group(int pid, int number);

  /// Reaps orphans that have ended; never blocks.
  void reap_orphans();

  /// A process that a run has left behind. It may live until the daemon ends.
  struct Left {
    ProcessIdentity process;
    std::string command;
    std::uint64_t run = 0;
  };
  /// Adds a process; false if it is known already.
  bool add_left(Left left);
  /// The processes left behind that still live.
  std::vector<Left> left() const;

  /// Sends SIGKILL to every descendant of this process until none is left. Gives up after some seconds, if
  /// the kernel does not let a process die.
  void kill_all();
  /// The same, except for processes that runs have left behind, those that `spawn` has started and `wait` has
  /// not reaped, and the descendants of both.
  void kill_orphans();

 private:
  std::vector<int> orphans() const;
  void kill_until_none(const std::function<std::vector<int>()>& find);

  mutable std::mutex mutex_;
  std::vector<Left> left_;
  std::set<int> own_;  ///< Started here and not reaped yet.
};

}  // namespace stest
