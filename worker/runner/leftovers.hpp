#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "common/os/process.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What the runs of this process leave behind. It is a child subreaper: every orphan of a run becomes its
/// child, however it was started. At a run's end what is still in the run's session dies; what has left
/// it (`setsid`: a daemon, on purpose as a rule) lives on, and is told once. Helpers of multiprocessing and
/// torch, which clean up for processes that have ended, and end by themselves then, get the time for that.
///
/// Single-threaded, as the process is. `own` are the children that others start and collect, and the sessions
/// of runs.
class Leftovers {
 public:
  Leftovers();

  /// To be called when a run is over. `runner` was its process, which has ended and was not collected, or
  /// goes on to serve other runs; `session` is where it began. Returns what has left that.
  std::vector<protocol::Done::Left> end_run(pid_t runner, pid_t session, const std::set<pid_t>& own);

  /// Collects orphans that have ended.
  static void reap(const std::set<pid_t>& own);

  /// Kills every descendant of this process.
  static void kill_all();

 private:
  bool has_news(pid_t runner, const std::set<pid_t>& own) const;
  std::vector<protocol::Done::Left> tell_new(pid_t runner, const std::set<pid_t>& own);

  std::set<ProcessIdentity> told_;
};

}  // namespace stest
