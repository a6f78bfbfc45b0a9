#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace stest {

/// How hard a run is asked to end; the order is by force.
enum class CancelHow { interrupt, terminate, kill };

std::string_view name(CancelHow how);
std::optional<CancelHow> cancel_how(std::string_view name);
/// SIGINT, SIGTERM, SIGKILL.
int signal_of(CancelHow how);

/// Why a run was asked to end.
enum class CancelReason { client, stop, vanished, hung };

/// The wish to end one run, expressed from any thread. Until the tests' process exists, the run's own
/// thread looks at `strongest`; from then on each cancel is a signal, delivered in the caller's
/// thread, so that it works even while the run's thread is blocked by a client that does not read.
class RunControl {
 public:
  void cancel(CancelHow how, CancelReason reason);

  /// Stops the tests' processes, or lets them go on; a cancel does so as well. Before there is a process
  /// it does nothing.
  void suspend(bool on);
  bool is_suspended() const;

  /// `deliver` takes a signal number. Signals of earlier cancels are delivered at once.
  void attach(std::function<void(int)> deliver);
  /// After this `deliver` is never called again.
  void detach();

  /// Somebody wants to see the stacks of the tests' process.
  void want_stack() { stack_wanted_ = true; }
  /// Whether somebody did since the last call.
  bool take_stack_wish() { return stack_wanted_.exchange(false); }

  std::optional<CancelHow> strongest() const;
  /// Of the first cancel.
  std::optional<CancelReason> reason() const;

 private:
  mutable std::mutex mutex_;
  std::function<void(int)> deliver_;
  std::vector<CancelHow> undelivered_;
  bool suspended_ = false;
  std::atomic<bool> stack_wanted_ = false;
  std::optional<CancelHow> strongest_;
  std::optional<CancelReason> reason_;
};

}  // namespace stest
