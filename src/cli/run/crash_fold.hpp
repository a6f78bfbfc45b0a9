#pragma once

#include <string>
#include <string_view>

#include "cli/run/stack_text.hpp"

namespace stest {

/// Folds the stacks that `faulthandler` writes into a run's output when a process crashes. All other bytes
/// pass unchanged and at once.
class CrashFold {
 public:
  /// What to show now of `bytes`.
  std::string take(std::string_view bytes);
  /// What is still held back.
  std::string end();

 private:
  std::size_t look_for_crash(std::string_view bytes, std::string& shown);
  std::size_t take_of_stack(std::string_view bytes, std::string& shown);
  std::string end_line();
  std::string with_line_ends(const std::string& text) const;

  bool is_in_stack_ = false;
  std::string tail_;  ///< The end of the output so far: the first words of a crash may come in parts.
  std::string line_;  ///< The line of a stack so far.
  std::string line_end_ = "\n";  ///< "\r\n" on a terminal.
  StackFold fold_;
};

}  // namespace stest
