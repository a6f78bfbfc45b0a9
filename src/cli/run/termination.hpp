#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace stest {

/// The end of a run that SIGTERM asks for: it is to tell where it stands, then to end, each in bounded time.
/// A thread of this object does it.
class Termination {
 public:
  /// Called on the object's thread, in this order.
  struct Actions {
    std::function<void()> ask_stack;
    std::function<void()> terminate;
    std::function<void()> leave;  ///< The run has not ended in time; normally ends the process.
  };

  explicit Termination(Actions actions) : actions_(std::move(actions)) {}
  ~Termination();
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  /// To be called at most once.
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
