#pragma once

#include <filesystem>

#include "cli/terminal/console.hpp"

namespace stest {

/// Prints the last `lines` of `file` on stdout. With `follow` it then prints what is appended, until a signal
/// ends the process or stdout has no reader any more. Returns the exit code of `stest`.
int print_log(const std::filesystem::path& file, int lines, bool follow, Console& console);

}  // namespace stest
