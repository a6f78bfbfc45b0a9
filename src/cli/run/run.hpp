#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/terminal/console.hpp"

namespace stest {

/// One `stest [PYTEST ARGS…]` or `stest run …`.
struct RunOptions {
  std::vector<std::string> pytest_args;
  bool events = false;                     ///< Print the events as JSON lines instead of showing them.
  std::optional<std::string> stuck_after;  ///< Overrides `SPRINTEST_STUCK_AFTER` for this run.
  bool no_wait = false;                    ///< Give up where other runs go on.
  bool timings = false;                    ///< Print where the time went.
  bool plain = false;                      ///< Only text, whatever the tests print.
  bool detached = false;  ///< Without this process's terminal and stdin, as a cold run for comparison is.
  bool cold = false;      ///< Without a daemon: `become_cold_run`, which main() does.
};

/// Runs the tests in the daemon of the project that the current folder belongs to, starting the
/// daemon where there is none. Returns what `stest` exits with.
///
/// Where stdout's reader leaves (`stest | head`) the run ends and the exit code is 1, as with
/// `python -m pytest`.
int run_tests(const RunOptions& options, Console& console);

}  // namespace stest
