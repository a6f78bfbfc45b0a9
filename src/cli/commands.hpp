#pragma once

#include "cli/command_line/options.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Shows the error. Returns its exit code.
int report(const Error& error, Console& console);

/// Executes a command line. Returns the exit code of `stest`.
int execute(const Options& options, Console& console);

}  // namespace stest
