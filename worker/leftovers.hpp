#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "common/process.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What the runs of this process leave behind. It is a child subreaper: every orphan of a run becomes its
/// child, however it was started. At a run's end what is still in the run's session dies; what has left
/// it (`setsid`: a daemon, on purpose as a rule) lives on, and is told once.
///
/// Single-threaded, as the process is. `own` are the children that others start and collect.
class Leftovers {
 public:
  Leftovers();

  /// To be called when a run is over. `leader` led its session: a process that has ended and was not
  /// collected, or one that goes on to serve other runs. Returns what has left the session.
  std::vector<protocol::Done::Left> end_run(pid_t leader, const std::set<pid_t>& own);

  /// Collects orphans that have ended.
  static void reap(const std::set<pid_t>& own);

  /// Kills every descendant of this process.
  static void kill_all();

 private:
  bool has_news(pid_t leader, const std::set<pid_t>& own) const;
  std::vector<protocol::Done::Left> tell_new(pid_t leader, const std::set<pid_t>& own);

  std::set<ProcessIdentity> told_;
};

}  // namespace stest
