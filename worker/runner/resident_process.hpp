#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "worker/python/preload.hpp"
#include "worker/runner/runner.hpp"
#include "worker/snapshot/snapshot_process.hpp"

namespace stest {

/// The resident process, which runs the tests in `RunMode::resident`, one run after the other. It is forked
/// from the zygote for the first run, and again when it has ended.
class ResidentProcess {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;
  /// Ends the leftovers of a run, given its process and session; see `Leftovers::end_run`.
  using EndRun = std::function<std::vector<protocol::Done::Left>(pid_t, pid_t)>;

  /// `send` sends a message to the daemon. `leave` is called in the child, and must call `close_in_child`.
  ResidentProcess(const Preloader& preloader, Send send, std::function<void()> leave, EndRun end_run)
      : preloader_(preloader),
        send_(std::move(send)),
        leave_(std::move(leave)),
        end_run_(std::move(end_run)) {}

  void run(const protocol::RunTest& request, std::vector<Fd> fds);
  /// Sends the signal to the process and the children of the run, or cancels it while it waits. Returns false
  /// if the run is not here.
  bool signal(std::uint64_t id, int number);
  /// Asks the process for its stacks. Returns false if the run is not running here.
  bool request_stack(std::uint64_t id) const;
  pid_t pid() const { return process_ ? process_->pid() : -1; }
  /// The session in which the process began.
  pid_t session() const { return process_ ? session_ : -1; }

  int fd() const { return process_ ? process_->fd() : -1; }
  /// Handles the messages of the process and its end.
  void attend();
  /// Ends the process; the next run gets another one.
  void end() { process_.reset(); }
  void close_in_child();

 private:
  struct Waiting {
    protocol::RunTest request;
    std::vector<Fd> fds;
  };
  void serve_next();
  Status start(std::uint64_t memory_limit);
  void finish(protocol::Done done);

  const Preloader& preloader_;
  Send send_;
  std::function<void()> leave_;
  EndRun end_run_;
  std::optional<SnapshotProcess> process_;
  pid_t session_ = -1;
  std::optional<FlightRecorder> recorder_;
  std::optional<std::uint64_t> running_;
  std::deque<Waiting> waiting_;
};

}  // namespace stest
