#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "stest/messages.hpp"

namespace stest {

/// Counts the tests of one run by pytest's reports.
class RunTally {
 public:
  void take(const event::Test& test);
  void collected(int tests) { collected_ = tests; }

  /// Whether a test has begun.
  bool has_started() const { return !started_.empty(); }

  /// Whether pytest has collected its tests.
  bool has_tests() const { return collected_ || !started_.empty(); }

  /// What is known if pytest does not finish. `nodeid`: the test that ran, or empty.
  event::Unfinished unfinished(const std::string& nodeid) const;

  /// The final result of each test, as pytest's `--lf` sees it: true means failed.
  const std::unordered_map<std::string, bool>& has_failed_by_test() const { return failed_; }

 private:
  std::optional<int> collected_;
  std::unordered_set<std::string> started_;
  std::unordered_map<std::string, bool> failed_;
  std::vector<std::string> failures_;  ///< Every test with a failed report, in order.
};

}  // namespace stest
