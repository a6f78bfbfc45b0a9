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

/// Decides what the next signal does: the first Ctrl-C interrupts the run as in pytest, the second
/// terminates it, the third kills it, and one more leaves it alone. SIGHUP begins with the second step.
/// SIGTERM ends this process with the run; another one does so at once. Without a run there is nothing to
/// cancel: leave.
class Escalation {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Step { leave, interrupt, terminate, kill, end, nothing };
  Step next(int signal, bool has_run, Clock::time_point now = Clock::now());
  /// What came before is forgotten.
  void begin_anew() { level_ = 0; }

 private:
  Step end(Clock::time_point now);

  int level_ = 0;
  std::optional<Clock::time_point> ends_since_;
};

/// Turns SIGINT, SIGTERM and SIGHUP into requests to the daemon, from construction to destruction. A
/// thread of this object does the work. At most one object at a time.
class Canceller {
 public:
  /// What the steps do; called on the object's thread.
  struct Actions {
    std::function<void(std::uint64_t id, CancelHow how)> cancel;
    std::function<void(int signal)> leave;  ///< Normally ends the process.
    /// Ends the run, and this process with it. Without it SIGTERM only terminates the run.
    std::function<void(std::uint64_t id)> end = {};
  };

  explicit Canceller(Actions actions);
  ~Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  /// From now on signals cancel this run.
  void run_started(std::uint64_t id);

  /// A key was typed on a terminal of the tests' own. A Ctrl-C that `counts` is taken as SIGINT is, but
  /// for the first step where it `reaches_tests` as a signal by itself. Any other key, or a Ctrl-C at a
  /// prompt, shows that they react: the next Ctrl-C is a first one.
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

/// Ends this process at once: with exit code 2, pytest's own, for SIGINT, else by the signal itself.
[[noreturn]] void leave_by_signal(int signal);

}  // namespace stest
