#pragma once

#include <signal.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "client/client.hpp"
#include "common/fd.hpp"

namespace stest {

/// Decides what the next signal does: the first Ctrl-C interrupts the run as in pytest, the second
/// terminates it, the third kills it, and one more leaves it alone. SIGTERM and SIGHUP begin with the
/// second step. Without a run there is nothing to cancel: leave.
class Escalation {
 public:
  enum class Step { leave, interrupt, terminate, kill };
  Step next(int signal, bool has_run);

 private:
  int level_ = 0;
};

/// Turns SIGINT, SIGTERM and SIGHUP into requests to the daemon, from construction to destruction.
/// The handler only writes a byte to a pipe; a thread of this object does the work. A signal that is
/// ignored (`nohup`, a background job) stays ignored. At most one object at a time.
class Canceller {
 public:
  /// What the steps do; both are called on the object's thread.
  struct Actions {
    std::function<void(std::uint64_t id, CancelHow how)> cancel;
    std::function<void(int signal)> leave;  ///< Normally ends the process.
  };

  explicit Canceller(Actions actions);
  ~Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  /// From now on signals cancel this run.
  void run_started(std::uint64_t id);

 private:
  void install_handlers();
  void serve();
  void handle(int signal);

  Actions actions_;
  Pipe pipe_;
  std::mutex mutex_;
  std::optional<std::uint64_t> run_;
  Escalation escalation_;
  std::map<int, struct sigaction> previous_;
  std::thread thread_;
};

/// Ends this process at once: with exit code 2, pytest's own, for SIGINT, else by the signal itself.
[[noreturn]] void leave_by_signal(int signal);

}  // namespace stest
