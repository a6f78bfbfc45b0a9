#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "stest/messages.hpp"

namespace stest {

/// Why a run was asked to end.
enum class CancelReason { client, stop, vanished, hung };

/// Controls one run from any thread. Until the runner exists, the run's thread checks `strongest`. From then
/// on each cancel is a signal, which the caller's thread delivers, so that it works even while a client that
/// does not read blocks the run's thread.
class RunControl {
 public:
  void cancel(CancelHow how, CancelReason reason);

  /// Stops the tests' processes, or lets them continue, as a cancel does too. Has no effect before there is a
  /// process.
  void suspend(bool on);
  bool is_suspended() const;

  /// `deliver` takes a signal number. Signals of earlier cancels are delivered at once.
  void attach(std::function<void(int)> deliver);
  /// After this, `deliver` is not called any more.
  void detach();

  /// Asks for the stacks of the tests' process.
  void want_stack();
  /// The answer to `want_stack`.
  void give_stack(std::string stack);
  std::optional<std::string> stack() const;
  /// Whether they were asked for since the last call.
  bool take_stack_wish() { return stack_wanted_.exchange(false); }

  std::optional<CancelHow> strongest() const;
  /// The reason of the first cancel.
  std::optional<CancelReason> reason() const;

 private:
  mutable std::mutex mutex_;
  std::function<void(int)> deliver_;
  std::vector<CancelHow> undelivered_;
  bool suspended_ = false;
  std::atomic<bool> stack_wanted_ = false;
  std::optional<std::string> stack_;
  std::optional<CancelHow> strongest_;
  std::optional<CancelReason> reason_;
};

}  // namespace stest
