#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "cli/terminal/signal_pipe.hpp"
#include "client/client.hpp"

namespace stest {

/// Decides what the next signal does. The first Ctrl-C interrupts the run as in pytest, the second terminates
/// it, the third kills it, and the fourth leaves it. SIGHUP begins with the second step. SIGTERM ends the run
/// and then this process; another SIGTERM ends this process at once. Without a run, every signal leaves.
class Escalation {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Step { leave, interrupt, terminate, kill, end, nothing };
  Step next(int signal, bool has_run, Clock::time_point now = Clock::now());
  /// The next Ctrl-C counts as the first one.
  void begin_anew() { level_ = 0; }

 private:
  Step end(Clock::time_point now);

  int level_ = 0;
  std::optional<Clock::time_point> ends_since_;
};

/// Turns SIGINT, SIGTERM and SIGHUP into requests to the daemon, from construction to destruction. The object
/// has a thread for this. At most one object may exist at a time.
class Canceller {
 public:
  /// What the steps do; called on the object's thread.
  struct Actions {
    std::function<void(std::uint64_t id, CancelHow how)> cancel;
    std::function<void(int signal)> leave;  ///< Normally ends the process.
    /// Ends the run and then this process. If it is empty, SIGTERM only terminates the run.
    std::function<void(std::uint64_t id)> end = {};
  };

  explicit Canceller(Actions actions);
  ~Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  /// From now on signals cancel this run.
  void run_started(std::uint64_t id);

  /// A key was typed on the tests' terminal. A Ctrl-C that `counts` has the effect of SIGINT. Only its first
  /// step has none if the Ctrl-C `reaches_tests` as a signal anyway. Any other key, or a Ctrl-C at a prompt,
  /// shows that the tests react: the next Ctrl-C counts as the first one.
  void typed(bool counts, bool reaches_tests);

 private:
  void serve();
  Escalation::Step next_step(int signal);
  void take(Escalation::Step step, int signal);

  Actions actions_;
  SignalPipe signals_;
  std::mutex mutex_;
  std::optional<std::uint64_t> run_;
  Escalation escalation_;
  std::thread thread_;
};

/// Ends this process at once: for SIGINT with exit code 2 like pytest, otherwise by the signal itself.
[[noreturn]] void leave_by_signal(int signal);

}  // namespace stest
