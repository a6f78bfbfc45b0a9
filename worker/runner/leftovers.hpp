#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "common/os/process.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// The leftovers of runs. This process is a child subreaper: every orphan of a run becomes its child. At the
/// end of a run, processes in the run's session are killed. Processes that have left it (`setsid`) live on,
/// and are reported once. Helpers of multiprocessing and torch clean up after other processes and then end;
/// they get time for that.
///
/// Single-threaded, like the process. `own`: the children that other code starts and reaps, and the sessions
/// of runs.
class Leftovers {
 public:
  Leftovers();

  /// Must be called when a run is over. `runner` is its process: it has ended and is not reaped, or it goes
  /// on to serve other runs. `session` is the session in which it began. Returns the processes that have left
  /// it.
  std::vector<protocol::Done::Left> end_run(pid_t runner, pid_t session, const std::set<pid_t>& own);

  /// Reaps orphans that have ended.
  static void reap(const std::set<pid_t>& own);

  /// Kills every descendant of this process.
  static void kill_all();

 private:
  bool has_news(pid_t runner, const std::set<pid_t>& own) const;
  std::vector<protocol::Done::Left> tell_new(pid_t runner, const std::set<pid_t>& own);

  std::set<ProcessIdentity> told_;
};

}  // namespace stest
