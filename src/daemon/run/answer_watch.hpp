#pragma once

#include <algorithm>
#include <chrono>

namespace stest {

/// Notices that somebody who owes an answer has been silent for too long. Counts only the time in which
/// the caller itself was awake: when both were suspended, frozen or starved, the other gets its time anew.
class AnswerWatch {
 public:
  using Clock = std::chrono::steady_clock;

  AnswerWatch(Clock::duration timeout, Clock::time_point now) : timeout_(timeout), last_(now) {}

  /// An answer is owed from now on.
  void asked() {
    owed_ = true;
    waited_ = {};
  }
  void answered() {
    owed_ = false;
    waited_ = {};
  }

  /// Lets time pass; to be called several times a second.
  void tick(Clock::time_point now) {
    waited_ += std::min(now - last_, longest_step);
    last_ = now;
  }

  /// Whether it is time to ask again. Asking often is of no use: it is only to find out what a person
  /// would otherwise wait for.
  bool should_ask() const { return !owed_ && waited_ >= timeout_ / 10; }
  bool is_over() const { return owed_ && waited_ >= timeout_; }

 private:
  static constexpr Clock::duration longest_step = std::chrono::seconds(1);

  Clock::duration timeout_;
  Clock::time_point last_;
  Clock::duration waited_{};  ///< Since it was asked, or has answered.
  bool owed_ = false;
};

}  // namespace stest
