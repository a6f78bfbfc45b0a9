#pragma once

#include <string>
#include <string_view>

namespace stest {

/// Formats Python stacks, as `faulthandler` writes them: indented lines, each ended by a newline. The frames
/// of pytest that lead to the project's code are only counted.
std::string stack_text(std::string_view stack);

}  // namespace stest
