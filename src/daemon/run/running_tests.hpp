#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "stest/messages.hpp"

namespace stest {

/// The tests that a run is at, in the order of their beginning: one, or one in each worker of pytest-xdist.
class RunningTests {
 public:
  struct One {
    std::string nodeid;
    std::string worker;  ///< Of pytest-xdist; else empty.
    std::chrono::system_clock::time_point since;
  };

  void take(const event::Test& report) {
    if (report.when == "setup" || report.when == "call") return;
    std::erase_if(list_, [&](const One& one) { return one.worker == report.worker; });
    if (report.when == "start")
      list_.push_back({report.nodeid, report.worker, std::chrono::system_clock::now()});
  }

  const std::vector<One>& list() const { return list_; }

  /// Of the test that began first; empty outside tests.
  std::string nodeid() const { return list_.empty() ? std::string() : list_.front().nodeid; }
  /// How long it has been running; 0 outside tests.
  double seconds() const {
    if (list_.empty()) return 0;
    const std::chrono::duration<double> time = std::chrono::system_clock::now() - list_.front().since;
    return std::max(time.count(), 0.0);
  }

 private:
  std::vector<One> list_;
};

}  // namespace stest
