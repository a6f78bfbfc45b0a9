#pragma once

#include <map>
#include <set>

#include "common/json/line_channel.hpp"
#include "common/os/worker_host.hpp"
#include "stest/protocol.hpp"
#include "worker/python/preload.hpp"
#include "worker/runner/leftovers.hpp"
#include "worker/runner/resident_process.hpp"
#include "worker/snapshot/snapshot_lines.hpp"
#include "worker/snapshot/value_process.hpp"

namespace stest {

/// The main loop of the worker. It is single-threaded, answers the daemon's messages and forks a runner for
/// each run. It never runs a test and never uses CUDA. It owns its runners until they are reaped, and its
/// snapshot processes. When the daemon goes away, it kills them and ends.
class Zygote {
 public:
  Zygote(LineChannel& channel, Preloader& preloader, WorkerHost host, std::vector<std::string> probe);

  /// Serves until `Shutdown`, the end of the channel, or a module that spoils this process. Returns the
  /// worker's exit code.
  int serve();

 private:
  struct Run {
    pid_t pid;
    pid_t session;
    FlightRecorder recorder;
    bool is_program = false;
  };

  void serve_while(bool go_on);
  void attend_processes();
  void begin_lines_anew();
  void wait_for_event();
  /// Handles one message, as the `handle` functions do. Returns false if the worker must end.
  bool handle_line();
  bool handle(const protocol::Preload& message, std::vector<Fd>& fds);
  bool handle(const protocol::HoldValues& message, std::vector<Fd>& fds);
  bool handle(const protocol::RunTest& message, std::vector<Fd>& fds);
  bool handle(const protocol::ExpectRun& message, std::vector<Fd>& fds);
  bool handle(const protocol::Prime& message, std::vector<Fd>& fds);
  bool handle(const protocol::Shrink& message, std::vector<Fd>& fds);
  bool handle(const protocol::GoOn& message, std::vector<Fd>& fds);
  bool handle(const protocol::Signal& message, std::vector<Fd>& fds);
  bool handle(const protocol::DumpStack& message, std::vector<Fd>& fds);
  bool handle(const protocol::Ping& message, std::vector<Fd>& fds);
  bool handle(const protocol::Shutdown& message, std::vector<Fd>& fds);

  void start_runner(const protocol::RunTest& message, std::vector<Fd>& fds);
  void fork_runner(const protocol::RunTest& message, std::vector<Fd>& fds);
  /// Must be called in a child of this process: closes what belongs to the zygote.
  void close_in_child();
  void reap();
  /// The children of this process except orphans of runs, and the sessions of the children that run tests.
  std::set<pid_t> own_children() const;
  void kill_all();
  void send(const protocol::FromWorker& message);
  void report_snapshots();
  void report_processes();
  /// The first of `modules` that makes forks of a process unhealthy.
  std::string find_culprit(const std::vector<std::string>& modules);

  LineChannel& channel_;
  Preloader& preloader_;
  const WorkerHost host_;
  const std::vector<std::string> probe_;  ///< The arguments that probe a list of modules.
  std::vector<std::string> modules_;
  std::map<std::uint64_t, Run> runs_;
  std::set<pid_t> ending_;  ///< Runners that have recorded an exit code and are not reaped yet.
  bool is_shut_down_ = false;
  Leftovers leftovers_;
  ValueProcess values_;
  ResidentProcess resident_;
  SnapshotLines snapshots_;
  protocol::Snapshots reported_;
  protocol::Processes reported_processes_;
};

}  // namespace stest
