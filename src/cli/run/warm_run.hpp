#pragma once

#include <functional>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "cli/project.hpp"
#include "cli/run/run.hpp"

namespace stest {

/// What a run in the daemon came to.
struct WarmResult {
  event::Done done;
  std::vector<event::Test> tests;    ///< Every report of pytest, in order.
  bool interactive = false;          ///< Somebody typed something, which nobody can repeat.
  Timings timings;                   ///< From this process's begin to the daemon's result.
  bool cancelled = false;            ///< By a signal to this process, or because stdout's reader has left.
  std::optional<int> ended_by = {};  ///< The signal by which this process is to end too.
};

/// Why there is no result of the daemon's.
struct NoResult {
  Error error;
  bool has_begun = false;  ///< Tests may have run.
};

/// Runs the tests in the project's daemon, starting it where there is none, and shows the run's events
/// as they come; with `events` all but the last one, which the caller prints when it is final.
/// `on_leave` precedes the end of this process where a signal ends it at once.
///
/// Where stdout's reader leaves (`stest | head`) the run ends and its exit code is 1, as with
/// `python -m pytest`. Errors: those of starting and reaching a daemon, and of one that could not begin the
/// run.
tl::expected<WarmResult, NoResult> run_warm(const RunOptions& options, const Project& project,
                                            Console& console, std::function<void()> on_leave = {});

/// One event as a JSON line on stdout; false when nobody reads it.
bool print_event(const Event& event, Console& console);

}  // namespace stest
