#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "common/history/run_record.hpp"
#include "daemon/children.hpp"
#include "daemon/run/run_queue.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/status_board.hpp"
#include "daemon/worker/worker_manager.hpp"

namespace stest {

/// What the daemon does, without HTTP: runs tests on a warm worker, and reports its status. Every function
/// may be called by any thread.
class Service {
 public:
  struct Options {
    std::filesystem::path root;
    std::filesystem::path status_file;
    DaemonStatus status;  ///< The daemon's identity and address.
    WorkerProgram worker;
    ProcessAttributes process = {};             ///< For requests that have none.
    std::chrono::milliseconds idle_timeout{0};  ///< Before the first run; then that of the last run.
    /// Why the daemon is of no use any more; nothing as long as it is. Null: it always is.
    std::function<std::optional<std::string>()> why_useless = {};
    std::chrono::milliseconds use_interval{30'000};  ///< How often an idle daemon asks this.
  };

  Service(Options options, Children& children);
  ~Service();

  /// An admitted run with its place in the queue, which the destructor removes.
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

  /// `fds` are those that came with the request. Errors: `bad_request`, `config`, `daemon_unavailable` while
  /// stopping.
  Result<std::shared_ptr<Ticket>> admit(RunRequest request, std::vector<Fd> fds = {});

  /// Executes an admitted run in the caller's thread, and passes its events to `listener`. The last one is
  /// always `event::Done`, unless the client has gone. May be called only once for a ticket.
  void run(Ticket& ticket, const Listener& listener);

  /// Errors: `not_found`.
  Status cancel(std::uint64_t id, CancelHow how);

  /// Stops the tests' processes of a run, or lets them continue. Errors: `not_found`.
  Status suspend(std::uint64_t id, bool on);
  /// Makes the run report its stacks, as a silent run does. Errors: `not_found`.
  Status ask_stack(std::uint64_t id);

  /// The body of `GET /v1/status`.
  nlohmann::json status() const;

  /// Whether clients can find the daemon. Errors: the status file could not be written.
  Status is_announced() const { return board_.last_write(); }

  /// Takes no more runs. `now` cancels all runs, `idle` lets them end first.
  void stop(StopWhen when);

  /// The next step of the daemon's main loop: end, or wait for `wake_fd`, at most for `wait`.
  struct Next {
    bool end = false;
    std::optional<std::chrono::milliseconds> wait;
  };
  /// Renews an idle worker, frees memory in steps, and at last ends the daemon, after parts of the idle time.
  /// Ends an idle daemon that is of no use any more.
  Next next_step();
  /// Readable when `next_step` may have a new result; `next_step` clears it.
  int wake_fd() const { return wake_.get(); }

  /// Cancels all runs, ends the worker with all its descendants, and removes the status file. Takes at most a
  /// few seconds. Only the owner's thread may call it; a second call does nothing.
  void shut_down();

 private:
  Status check_python(const Environment& env) const;
  event::Done execute(Run& run, const Listener& listener);
  Result<std::shared_ptr<Run>> find(std::uint64_t id) const;
  std::optional<event::Done> await_turn(const Run& run, const Listener& listener);
  event::Done run_on_worker(Run& run, const Listener& listener);
  void tell_left(const Run& run, std::vector<protocol::Done::Left> left, const Listener& listener);
  Result<RunReport> try_on_worker(Run& run, const Listener& listener);
  std::function<void()> finish(const Run& run, const event::Done& done,
                               const std::vector<std::string>& notices);
  void keep(const Run& run, const RunRecord& record, const event::Done& done) const;
  Next idle_step();
  void refresh_status();
  void note_silence(const Run& run, const Event& event);
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
  bool is_down_ = false;  ///< Used only by the owner's thread.
  std::chrono::milliseconds idle_timeout_;
  std::chrono::steady_clock::time_point idle_since_;

  WorkerManager manager_;  // Last: its threads call back into the members above.
};

}  // namespace stest
