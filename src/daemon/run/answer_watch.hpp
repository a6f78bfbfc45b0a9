#pragma once

#include <algorithm>
#include <chrono>

namespace stest {

/// Detects that a process which owes an answer is silent for too long. Counts only time in which the caller
/// itself was awake. If both were suspended, that time does not count.
class AnswerWatch {
 public:
  using Clock = std::chrono::steady_clock;

  AnswerWatch(Clock::duration timeout, Clock::time_point now) : timeout_(timeout), last_(now) {}

  /// From now on an answer is owed.
  void asked() {
    owed_ = true;
    waited_ = {};
  }
  void answered() {
    owed_ = false;
    waited_ = {};
  }

  /// Counts the time since the last call. Must be called several times a second.
  void tick(Clock::time_point now) {
    waited_ += std::min(now - last_, longest_step);
    last_ = now;
  }

  /// Whether it is time to ask again. A tenth of the timeout is often enough.
  bool should_ask() const { return !owed_ && waited_ >= timeout_ / 10; }
  bool is_over() const { return owed_ && waited_ >= timeout_; }

 private:
  static constexpr Clock::duration longest_step = std::chrono::seconds(1);

  Clock::duration timeout_;
  Clock::time_point last_;
  Clock::duration waited_{};  ///< Since the last question or answer.
  bool owed_ = false;
};

}  // namespace stest
