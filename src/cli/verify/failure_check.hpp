#pragma once

#include "cli/run/warm_run.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Whether a run has failed in a way that `verify_failures` is about (pytest's exit codes 1 and 2, a
/// crash), and the project asks for it. The configuration is not read before that.
bool wants_check(const WarmResult& warm, const Project& project, Console& console);

/// Runs again cold what failed warm. Where the failures are the same, the run's last event stays; else
/// the report is that of a whole cold run, which is shown, with what differs. With `events` everything
/// is printed as events.
event::Done check_failures(const WarmResult& warm, const RunOptions& options, const Project& project,
                           Console& console);

}  // namespace stest
