#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stest/messages.hpp"

namespace stest {

/// Reads what the runner's pytest plugin writes on the event pipe: JSON Lines, in pieces of any size.
/// Lines that are no event are logged and skipped: whatever tests write there must not end a run.
class EventLines {
 public:
  /// The reports that `bytes` completes.
  std::vector<event::Test> feed(std::string_view bytes);

  /// The test that runs; empty outside tests.
  const std::string& nodeid() const { return nodeid_; }

  /// The third-party modules that the run imported itself, in order.
  const std::vector<std::string>& imported() const { return imported_; }

  /// A longer line is dropped.
  static constexpr std::size_t max_line = 64u << 20;

 private:
  void take_line(std::string_view line, std::vector<event::Test>& tests);
  void remember(const event::Test& test);

  std::string buffer_;
  std::string nodeid_;
  std::vector<std::string> imported_;
};

}  // namespace stest
