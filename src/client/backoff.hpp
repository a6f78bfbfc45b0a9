#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace stest {

/// Growing pauses for polling something that another process changes: from 10 ms to 100 ms.
class Backoff {
 public:
  void wait() {
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 3 / 2, std::chrono::milliseconds(100));
  }

 private:
  std::chrono::milliseconds pause_{10};
};

/// Waits until `condition` is true. False if the deadline comes first.
template <class Condition>
bool wait_until(std::chrono::steady_clock::time_point deadline, const Condition& condition) {
  for (Backoff backoff; !condition(); backoff.wait()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
  return true;
}

}  // namespace stest
