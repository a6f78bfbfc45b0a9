#pragma once

#include "cli/run/warm_run.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Whether a run has failed (pytest's exit codes 1 and 2, a crash), and the project has set
/// `verify_failures`. The configuration is read only after a failure.
bool wants_check(const WarmResult& warm, const Project& project, Console& console);

/// Checks the failures of a warm run in a cold run. Returns the last event of the warm run if the failures
/// are the same. Otherwise returns that of a cold run of everything, and shows its output and the
/// differences. With `events` everything is printed as events.
event::Done check_failures(const WarmResult& warm, const RunOptions& options, const Project& project,
                           Console& console);

}  // namespace stest
