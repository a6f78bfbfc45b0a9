#pragma once

#include <chrono>
#include <optional>

namespace stest {

/// Notices silence: after `threshold`, then after 2×, 4×, … of it. A threshold of 0 never does.
class StuckWatch {
 public:
  using Clock = std::chrono::steady_clock;

  StuckWatch(Clock::duration threshold, Clock::time_point now) : threshold_(threshold) { heard(now); }

  void heard(Clock::time_point now) {
    last_ = now;
    patience_ = threshold_;
  }

  /// The length of the silence when it is time to say so.
  std::optional<std::chrono::duration<double>> due(Clock::time_point now) {
    if (threshold_ <= Clock::duration::zero() || now - last_ < patience_) return std::nullopt;
    patience_ *= 2;
    return now - last_;
  }

  /// How long from `now` until `due` may say something; nothing if never.
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
