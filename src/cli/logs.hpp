#pragma once

#include <filesystem>

#include "cli/terminal/console.hpp"

namespace stest {

/// Prints the last `lines` of `file` on stdout, and with `follow` what is appended from then on, until
/// a signal ends the process or nobody reads any more. Returns what `stest` exits with.
int print_log(const std::filesystem::path& file, int lines, bool follow, Console& console);

}  // namespace stest
