#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Replaces this process by `python -m pytest ARGS`, with the same folder, environment, descriptors and
/// signals. Returns only on failure.
Error become_cold_run(const std::vector<std::string>& pytest_args);

/// Replaces this process by `python ARGS` in the same way. Returns only on failure.
Error become_python(const std::vector<std::string>& args);

/// How a cold run ended, and what it wrote.
struct ColdResult {
  ExitStatus status;
  std::string out;
  std::string err;         ///< Empty if stdout and stderr of this process are one file.
  bool cancelled = false;  ///< By a signal to this process.
  double duration_s = 0;
};

/// Runs `python -m pytest ARGS` in a fresh process: in the project's folder and environment, with an empty
/// stdin, in a new session. Its output goes to files in `folder`. Signals to this process cancel it as they
/// cancel a run of the daemon. It does not outlive this process. If a signal ends this process at once,
/// `on_leave` is called first.
///
/// Errors: `internal`.
Result<ColdResult> run_cold(const std::vector<std::string>& pytest_args, const Project& project,
                            const std::filesystem::path& folder, const std::function<void()>& on_leave);

/// Shows what a cold run wrote.
bool show_output(const ColdResult& result, Console& console);

}  // namespace stest
