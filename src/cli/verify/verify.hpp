#pragma once

#include "cli/options.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// `stest verify`: the same run in the daemon and by `python -m pytest` in a fresh process, compared.
/// Shows the warm run as it goes, the cold one's output only where they differ, and every difference.
///
/// Returns `ok`, `diverged`, or how a run ended that was cancelled (2 or 107) or could not take place.
/// Errors: those of starting either.
Result<ExitCode> verify(const Options& options, const Project& project, Console& console);

}  // namespace stest
