#pragma once

#include "cli/command_line/options.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// `stest verify`: compares a run in the daemon with the same run by `python -m pytest` in a fresh process.
/// Shows the warm run as it goes. If they differ, shows the cold run's output and every difference.
///
/// Returns `ok` or `diverged`; if a run was cancelled (2 or 107) or could not be done, its exit code. Errors:
/// a run cannot be started.
Result<ExitCode> verify(const Options& options, const Project& project, Console& console);

}  // namespace stest
