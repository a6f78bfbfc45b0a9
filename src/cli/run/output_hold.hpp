#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stest {

/// What tests write on their terminal at first is held back for a moment, which begins with it: their process
/// may yet give the run up, and the next one says it all again. A person at a prompt must not wait for long.
class OutputHold {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds patience{500};
  /// So much is held at the most.
  static constexpr std::size_t limit = 1u << 20;

  /// What to show of all that was held and `bytes`; what a process wrote that gave the run up is dropped, if
  /// none of it was shown.
  std::string take(std::string_view bytes, Clock::time_point now);

  /// The rest, which is shown from now on.
  std::string release();
  /// The rest is not shown: all of it will be said again.
  void drop() { held_.clear(); }

  /// How long it still holds anything back.
  std::optional<std::chrono::milliseconds> remaining(Clock::time_point now) const;

 private:
  std::optional<Clock::time_point> until_;
  bool holds_ = true;
  std::string held_;
};

}  // namespace stest
