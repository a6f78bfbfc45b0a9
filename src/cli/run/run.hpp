#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/terminal/console.hpp"

namespace stest {

enum class Report { brief, full, json, ndjson };

/// The options of `stest [PYTEST ARGS…]` and `stest run …`.
struct RunOptions {
  std::vector<std::string> pytest_args;
  bool events = false;                     ///< Print the events as JSON lines instead of showing them, or
                                           ///< the report as JSON (`report`).
  bool failed = false;                     ///< Add the tests that failed in the last run.
  std::optional<std::string> stuck_after;  ///< Overrides `SPRINTEST_STUCK_AFTER` for this run.
  bool no_wait = false;                    ///< Fail if other runs are going on.
  bool timings = false;                    ///< Print where the time went.
  bool plain = false;                      ///< Remove escape sequences from the output.
  bool detached = false;  ///< Do not use this process's terminal and stdin, like a cold run for comparison.
  bool silent = false;    ///< Show nothing of the run, unless it is stuck.
  std::optional<std::string> ray;     ///< The address of the Ray cluster on whose nodes the workers run.
  std::optional<std::string> python;  ///< See `settle_python`.
  std::optional<Report> report;       ///< See `settle_report`.
  bool cold = false;                  ///< Do not use the daemon; main() calls `become_cold_run`.
};

/// Runs the tests in the daemon of the project that the current folder belongs to. Starts the daemon if none
/// runs. Becomes `python -m pytest` if only a cold run can be right. Returns the exit code of `stest`.
///
/// If the reader of stdout leaves (`stest | head`), the run ends and the exit code is 1, as with
/// `python -m pytest`.
int run_tests(const RunOptions& options, Console& console);

}  // namespace stest
