#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace stest {

/// The pauses between two looks at something that another process is about to change: 10 ms at
/// first, growing to 100 ms.
class Backoff {
 public:
  void wait() {
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 3 / 2, std::chrono::milliseconds(100));
  }

 private:
  std::chrono::milliseconds pause_{10};
};

}  // namespace stest
