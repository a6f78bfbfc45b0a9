#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/run/run_control.hpp"

namespace stest {

/// The programs that a run has started and that go on, such as the workers of pytest-xdist. May be used by
/// several threads.
class RunPrograms {
 public:
  void add(std::weak_ptr<RunControl> program);

  /// Asks each for its stacks.
  void ask();
  /// Whether all have answered.
  bool have_answered() const;
  /// The stacks of those that are at a test. Workers that wait for a test say nothing about a run that hangs.
  std::string stacks() const;

 private:
  std::vector<std::shared_ptr<RunControl>> living() const;

  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<RunControl>> programs_;
};

}  // namespace stest
