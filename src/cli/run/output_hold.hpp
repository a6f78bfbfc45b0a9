#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stest {

/// Holds back the first output that tests write on their terminal. The run may still start over, and the next
/// process then writes all of it again. The time is short, because the output may be a prompt.
class OutputHold {
 public:
  using Clock = std::chrono::steady_clock;
  /// Counted from the first byte.
  static constexpr std::chrono::milliseconds patience{500};
  /// The most bytes that are held.
  static constexpr std::size_t limit = 1u << 20;

  /// What to show now of the held bytes and `bytes`. If they contain the mark of a run that starts over, the
  /// output before it is dropped, unless some of it was shown already.
  std::string take(std::string_view bytes, Clock::time_point now);

  /// Returns what is held. From now on nothing is held.
  std::string release();
  /// Drops what is held, because it will be written again.
  void drop() { held_.clear(); }

  /// How long bytes are still held; nothing if none are.
  std::optional<std::chrono::milliseconds> remaining(Clock::time_point now) const;

 private:
  std::optional<Clock::time_point> until_;
  bool holds_ = true;
  std::string held_;
};

}  // namespace stest
