#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace stest {

/// Ends a run on SIGTERM: asks for its stack, then terminates it, each with a time limit. The object has a
/// thread for this.
class Termination {
 public:
  /// Called by the object's thread, in this order.
  struct Actions {
    std::function<void()> ask_stack;
    std::function<void()> terminate;
    std::function<void()> leave;  ///< If the run does not end in time; normally ends the process.
  };

  explicit Termination(Actions actions) : actions_(std::move(actions)) {}
  ~Termination();
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  /// May be called only once.
  void begin();
  bool has_begun() const;

  void stack_came() { note(&Termination::has_stack_); }
  void run_ended() { note(&Termination::is_over_); }

 private:
  void note(bool Termination::*fact);
  void serve();

  Actions actions_;
  mutable std::mutex mutex_;
  std::condition_variable noted_;
  bool has_begun_ = false;
  bool has_stack_ = false;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace stest
