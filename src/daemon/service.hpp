#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "daemon/children.hpp"
#include "daemon/run/run_queue.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/status_board.hpp"
#include "daemon/worker/worker_manager.hpp"

namespace stest {

/// What the daemon does, without HTTP: runs tests one after another on a warm worker, and tells how
/// things stand. Every function may be called from any thread.
class Service {
 public:
  struct Options {
    std::filesystem::path root;
    std::filesystem::path status_file;
    DaemonStatus status;  ///< Who and where the daemon is.
    WorkerProgram worker;
    ProcessAttributes process = {};             ///< Of runs whose request has none.
    std::chrono::milliseconds idle_timeout{0};  ///< Until a run's own configuration says otherwise.
  };
  enum class StopWhen { now, idle };

  Service(Options options, Children& children);
  ~Service();

  /// A run that was taken in and holds its place in the queue; leaves it at the end, run or not.
  class Ticket {
   public:
    Ticket(Service& service, std::shared_ptr<Run> run) : service_(service), run_(std::move(run)) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() { service_.queue_.leave(*run_); }
    std::uint64_t id() const { return run_->id; }

   private:
    friend class Service;
    Service& service_;
    std::shared_ptr<Run> run_;
  };

  /// Errors: `bad_request`, `config`, `daemon_unavailable` while stopping.
  Result<std::shared_ptr<Ticket>> admit(RunRequest request);

  /// Runs an admitted request in the caller's thread and gives its events to `listener`; the last one
  /// is always `event::Done`, unless nobody listens any more. To be called at most once for a ticket.
  void run(Ticket& ticket, const Listener& listener);

  /// Errors: `not_found`.
  Status cancel(std::uint64_t id, CancelHow how);

  /// Stops the tests' processes of a run, or lets them go on. Errors: `not_found`.
  Status suspend(std::uint64_t id, bool on);
  /// Has the run report its stacks, as one that is silent does. Errors: `not_found`.
  Status ask_stack(std::uint64_t id);

  /// The body of `GET /v1/status`.
  nlohmann::json status() const;

  /// Whether clients can find the daemon. Errors: the status file could not be written.
  Status is_announced() const { return board_.last_write(); }

  /// Takes no more runs; `now` cancels those that there are, `idle` lets them end.
  void stop(StopWhen when);

  /// What the daemon's main loop is to do next: end, or wait for `wake_fd` or until the time is over.
  struct Next {
    bool end = false;
    std::optional<std::chrono::milliseconds> wait;
  };
  /// Ends an idle worker, and an idle daemon, when their time has come.
  Next next_step();
  /// Readable when `next_step` may have something new to say; cleared by `next_step`.
  int wake_fd() const { return wake_.get(); }

  /// Cancels all runs and ends the worker with all its descendants; bounded to a few seconds. Removes
  /// the status file. To be called by the owner's thread; a second call does nothing.
  void shut_down();

 private:
  event::Done execute(Run& run, const Listener& listener);
  Result<std::shared_ptr<Run>> find(std::uint64_t id) const;
  std::optional<event::Done> await_turn(const Run& run, const Listener& listener);
  event::Done run_on_worker(Run& run, const Listener& listener);
  void tell_left(const Run& run, std::vector<protocol::Done::Left> left, const Listener& listener);
  Result<RunReport> try_on_worker(Run& run, const Listener& listener);
  std::function<void()> finish(const Run& run, const event::Done& done,
                               const std::vector<std::string>& notices);
  void refresh_status();
  std::string state(bool busy) const;
  void wake();

  const Options options_;
  const std::int64_t started_at_;
  Children& children_;
  Fd wake_;
  StatusBoard board_;
  RunQueue queue_;

  mutable std::mutex mutex_;
  bool stopping_ = false;
  bool stop_now_ = false;
  bool is_down_ = false;  ///< The owner's thread only.
  std::chrono::milliseconds idle_timeout_;
  std::chrono::steady_clock::time_point idle_since_;

  WorkerManager manager_;  // Last: its threads call back into the members above.
};

}  // namespace stest
