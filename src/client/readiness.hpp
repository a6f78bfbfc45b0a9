#pragma once

#include <chrono>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// What a starting daemon says on its readiness pipe: "ready\n" once its socket accepts, or
/// "error\n" and an error as JSON; nothing at all when it dies before.
struct Readiness {
  enum class Kind { ready, failed, closed, pending };
  Kind kind = Kind::pending;
  Error error;  ///< With `failed`.
};

/// Reads one daemon's readiness pipe. Borrows the descriptor.
class ReadinessReader {
 public:
  explicit ReadinessReader(int fd) : fd_(fd) {}

  /// Waits until the daemon has spoken or closed the pipe; `pending` when `deadline` comes first.
  Readiness wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  int fd_;
  std::string text_;
};

}  // namespace stest
