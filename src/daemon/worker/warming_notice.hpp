#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "daemon/run/run.hpp"

namespace stest {

/// Tells the client of one waiting run what it waits for: at each change and at least each second.
class WarmingNotice {
 public:
  WarmingNotice(const Run& run, const Listener& listener) : run_(run), listener_(listener) {}

  using Seconds = std::chrono::duration<double>;

  /// To be called at least every `liveness_interval`; `left` is what the wait is expected to take from
  /// now on. False when the wait is to be given up.
  bool tick(const std::string& module, std::optional<Seconds> left) {
    const auto now = Clock::now();
    if (run_.control.strongest() || !listener_.alive()) return false;
    if (module == module_ && now - told_ < std::chrono::seconds(1)) return true;
    module_ = module;
    told_ = now;
    const Seconds elapsed = now - begin_;
    event::Warming warming{module, elapsed.count(), {}};
    if (left) warming.expected_s = (elapsed + *left).count();
    return listener_.emit(warming);
  }

 private:
  using Clock = std::chrono::steady_clock;

  const Run& run_;
  const Listener& listener_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point told_;
  std::optional<std::string> module_;
};

}  // namespace stest
