#pragma once

#include <chrono>
#include <optional>

namespace stest {

/// Detects silence: after `threshold`, then after 2, 4, … times that time. With a threshold of 0 it never
/// does.
class StuckWatch {
 public:
  using Clock = std::chrono::steady_clock;

  StuckWatch(Clock::duration threshold, Clock::time_point now) : threshold_(threshold) { heard(now); }

  void heard(Clock::time_point now) {
    last_ = now;
    patience_ = threshold_;
  }

  /// The length of the silence, if it is time to report it.
  std::optional<std::chrono::duration<double>> due(Clock::time_point now) {
    if (threshold_ <= Clock::duration::zero() || now - last_ < patience_) return std::nullopt;
    patience_ *= 2;
    return now - last_;
  }

  /// The time from `now` until `due` may return something; nothing if never.
  std::optional<Clock::duration> remaining(Clock::time_point now) const {
    if (threshold_ <= Clock::duration::zero()) return std::nullopt;
    return last_ + patience_ - now;
  }

 private:
  Clock::duration threshold_;
  Clock::duration patience_{};
  Clock::time_point last_;
};

}  // namespace stest
