#pragma once

#include <map>
#include <set>

#include "common/line_channel.hpp"
#include "leftovers.hpp"
#include "preload.hpp"
#include "project_branch.hpp"
#include "resident_branch.hpp"
#include "snapshot_lines.hpp"
#include "stest/protocol.hpp"
#include "value_branch.hpp"

namespace stest {

/// The worker's heart: warm, single-threaded, it answers the daemon's messages and forks a runner for
/// each run. It never runs a test nor touches CUDA itself. Owns its runners until they are reaped, and
/// its branches; when the daemon goes away it kills them and ends.
class Zygote {
 public:
  Zygote(LineChannel& channel, Preloader& preloader, std::vector<std::string> self);

  /// Serves until `Shutdown`, the end of the channel, or a module that spoils this process; returns
  /// the worker's exit code.
  int serve();

 private:
  struct Run {
    pid_t pid;
    pid_t session;
    FlightRecorder recorder;
  };

  void serve_while(bool go_on);
  void attend_branches();
  void wait_for_event();
  /// Whether to go on.
  bool handle_line();
  bool handle(const protocol::Preload& message, std::vector<Fd>& fds);
  bool handle(const protocol::HoldProject& message, std::vector<Fd>& fds);
  bool handle(const protocol::HoldValues& message, std::vector<Fd>& fds);
  bool handle(const protocol::RunTest& message, std::vector<Fd>& fds);
  bool handle(const protocol::Prime& message, std::vector<Fd>& fds);
  bool handle(const protocol::Signal& message, std::vector<Fd>& fds);
  bool handle(const protocol::DumpStack& message, std::vector<Fd>& fds);
  bool handle(const protocol::Ping& message, std::vector<Fd>& fds);
  bool handle(const protocol::Shutdown& message, std::vector<Fd>& fds);

  /// What runs in this mode are forked from, where it is ready.
  RunBranch& branch_for(protocol::RunMode mode);
  /// Whether the run is in a branch, which then has the message.
  bool forward(const auto& message) {
    return project_.forward(message.id, message) || values_.forward(message.id, message);
  }
  /// Whether runners may be forked ahead from here on, by this process and by its branches.
  void prime(bool may);
  void start_runner(const protocol::RunTest& message, std::vector<Fd>& fds);
  void fork_runner(const protocol::RunTest& message, std::vector<Fd>& fds);
  /// The life of a branch that `serve`s runs in this mode; it knows which ones to fork ahead.
  template <class Wanted>
  auto branch(protocol::RunMode mode, void (Zygote::*serve_branch)(const Wanted&)) {
    return [this, mode, serve_branch](LineChannel& to_parent, const Wanted& wanted) {
      leave_to_parent();
      Zygote branch(to_parent, preloader_, self_);
      branch.primed_.learn(primed_, mode);
      (branch.*serve_branch)(wanted);
    };
  }
  /// In a branch of this process: to hold the project's modules.
  void serve_project(const protocol::HoldProject& wanted);
  /// In a branch of this process: to hold values.
  void serve_values(const protocol::HoldValues& wanted);
  /// In a child of this process: nothing here is its own.
  void leave_to_parent();
  void reap();
  /// The children of this process that are not orphans of a run, and the sessions of those that run tests.
  std::set<pid_t> own_children() const;
  void kill_all();
  void send(const protocol::FromWorker& message);
  /// What a branch says, the daemon hears; but runners forked ahead are counted together.
  void pass_on(const protocol::FromWorker& message);
  void report_primed();
  /// Which of `modules` makes forks of a process unhealthy.
  std::string find_culprit(const std::vector<std::string>& modules);

  LineChannel& channel_;
  Preloader& preloader_;
  std::vector<std::string> self_;  ///< The command line that probes a list of modules.
  std::vector<std::string> modules_;
  std::map<std::uint64_t, Run> runs_;
  std::set<pid_t> ending_;  ///< Runners that have said their last word, and that the kernel takes down.
  bool is_shut_down_ = false;
  Leftovers leftovers_;
  ProjectBranch project_;
  ValueBranch values_;
  ResidentBranch resident_;
  SnapshotLines primed_;
  protocol::Primed reported_;
};

}  // namespace stest
