#pragma once

#include <string>
#include <string_view>

namespace stest {

/// Takes the lines of Python stacks, as `faulthandler` writes them, and counts the frames of pytest and of
/// the import system that lead from one frame of the project's code to the next. If pytest itself is what
/// waits or crashes, its innermost frames are shown.
class StackFold {
 public:
  /// The lines to show for the next line; `line` is without its newline.
  std::string take(std::string_view line);
  /// The count of the frames that were not shown, if any.
  std::string end();

 private:
  int shown_ = 0;  ///< How many frames of pytest are shown before the first one of other code.
  bool is_below_other_code_ = false;
  int folded_ = 0;
  bool has_pytest_ = false;  ///< Among the folded ones.
};

/// Formats Python stacks: indented lines, each ended by a newline.
std::string stack_text(std::string_view stack);

}  // namespace stest
