#pragma once

#include <chrono>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// What a starting daemon reports on its readiness pipe: "ready\n" when its socket accepts connections, or
/// "error\n" and an error as JSON. If it dies before, it reports nothing.
struct Readiness {
  enum class Kind { ready, failed, closed, pending };
  Kind kind = Kind::pending;
  Error error;  ///< With `failed`.
};

/// Reads one daemon's readiness pipe. Borrows the descriptor.
class ReadinessReader {
 public:
  explicit ReadinessReader(int fd) : fd_(fd) {}

  /// Waits until the daemon has reported or closed the pipe; `pending` if `deadline` comes first.
  Readiness wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  int fd_;
  std::string text_;
};

}  // namespace stest
