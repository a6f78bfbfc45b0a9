#pragma once

#include <string>
#include <string_view>

namespace stest {

/// Python's stacks, as `faulthandler` writes them, for a person: indented lines, each ended by a newline.
/// In each thread the frames of pytest that lead to the project's code are only counted.
std::string stack_text(std::string_view stack);

}  // namespace stest
