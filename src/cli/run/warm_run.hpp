#pragma once

#include <functional>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "cli/project.hpp"
#include "cli/run/run.hpp"

namespace stest {

/// The result of a run in the daemon.
struct WarmResult {
  event::Done done;
  std::vector<event::Test> tests;    ///< Every report of pytest, in order.
  std::vector<std::string> notices;  ///< Why the run was not simply warm.
  bool interactive = false;          ///< The user typed something, so the run cannot be repeated.
  Timings timings;                   ///< From this process's begin to the daemon's result.
  bool cancelled = false;            ///< By a signal to this process, or because stdout's reader has left.
  std::optional<int> ended_by = {};  ///< The signal by which this process must end too.
  std::uint64_t id = 0;              ///< The daemon's number for the run; 0: it had no process.
};

/// Why there is no result.
struct NoResult {
  Error error;
  bool has_begun = false;  ///< Tests may have run.
};

/// Runs the tests in the project's daemon, starts the daemon if none runs, and shows the run's events as they
/// come. With `events` the caller must print the last event. If a signal ends this process at once,
/// `on_leave` is called first.
///
/// If the reader of stdout leaves (`stest | head`), the run ends and its exit code is 1, as with
/// `python -m pytest`. Errors: the daemon cannot be started or reached, or could not begin the run.
tl::expected<WarmResult, NoResult> run_warm(const RunOptions& options, const Project& project,
                                            Console& console, std::function<void()> on_leave = {});

/// Prints an event as a JSON line on stdout; false if it cannot be written.
bool print_event(const Event& event, Console& console);

}  // namespace stest
