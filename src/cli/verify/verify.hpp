#pragma once

#include "cli/command_line/options.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// `stest verify`: runs the tests by `python -m pytest` in a fresh process, and in the daemon until that is
/// warm. Shows the last of these runs as it goes, the times, and every difference; with it the cold run's
/// output. If there is no difference, shows what would make the warm run faster.
///
/// Returns `ok` or `diverged`; if a run was cancelled (2 or 107) or could not be done, its exit code. Errors:
/// a run cannot be started.
Result<ExitCode> verify(const Options& options, const Project& project, Console& console);

}  // namespace stest
