#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "stest/messages.hpp"

namespace stest {

/// Where a run stands by its events, for a client that has to leave it.
class RunPosition {
 public:
  using Clock = std::chrono::steady_clock;

  void take(const Event& event);

  /// "after 12 s, running t.py::x for 10 s"; any thread may ask.
  std::string text() const;

 private:
  void move_to(std::string doing);

  const Clock::time_point begin_ = Clock::now();
  mutable std::mutex mutex_;
  std::string doing_ = "while a daemon was looked for";
  std::string nodeid_;  ///< The test that runs.
  Clock::time_point since_;
};

}  // namespace stest
