#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "daemon/run/run.hpp"

namespace stest {

/// Reports to the client of a run that waits for the worker: at each change, and at least once per second.
class WarmingProgress {
 public:
  explicit WarmingProgress(const Listener& listener) : listener_(listener) {}

  using Seconds = std::chrono::duration<double>;

  /// Must be called at least every `liveness_interval`. `left` is the expected rest of the wait.
  void tell(const std::string& module, std::optional<Seconds> left) {
    const auto now = Clock::now();
    if (module == module_ && now - told_ < std::chrono::seconds(1)) return;
    module_ = module;
    told_ = now;
    const Seconds elapsed = now - begin_;
    event::Warming warming{module, elapsed.count(), {}};
    if (left) warming.expected_s = (elapsed + *left).count();
    listener_.emit(warming);
  }

 private:
  using Clock = std::chrono::steady_clock;

  const Listener& listener_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point told_;
  std::optional<std::string> module_;
};

}  // namespace stest
