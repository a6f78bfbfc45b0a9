#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "stest/messages.hpp"

namespace stest {

/// How far a run has come, by its events. The client shows this when it leaves the run.
class RunPosition {
 public:
  using Clock = std::chrono::steady_clock;

  void take(const Event& event);

  /// "after 12 s, running t.py::x for 10 s". May be called by any thread.
  std::string text() const;

 private:
  void move_to(std::string doing);

  const Clock::time_point begin_ = Clock::now();
  mutable std::mutex mutex_;
  std::string doing_ = "while stest looked for a daemon";
  std::string nodeid_;  ///< The running test.
  Clock::time_point since_;
};

}  // namespace stest
