#pragma once

#include <filesystem>

#include "cli/run/cold_run.hpp"
#include "cli/verify/scratch_folder.hpp"
#include "cli/verify/test_report.hpp"

namespace stest {

/// Whether the Python that runs the tests has stest's plugin. stest's own has it; one that was chosen need
/// not. Errors: `config`.
Status check_plugin(const Project& project);

/// pytest's arguments `args` after those that load the plugin `sprintest.run._test_report`.
std::vector<std::string> with_report_plugin(const std::vector<std::string>& args);

/// `project` with the variable that makes the plugin write to `file`.
Project with_report_file(Project project, const std::filesystem::path& file);

/// A cold run and what pytest found in it.
struct ColdRunWithReport {
  ColdResult result;
  TestReport report;
  bool has_report = false;  ///< pytest has loaded the plugin.
};

/// Makes a cold run with the plugin. If `only` is given, it runs only these tests.
/// Errors: `internal`.
Result<ColdRunWithReport> run_cold_with_report(const std::vector<std::string>& args, const Project& project,
                                               const ScratchFolder& folder,
                                               const std::optional<std::vector<std::string>>& only = {});

/// Gives pytest's cache back the contents that the first run with the plugin found.
void restore_cache(const ScratchFolder& folder);

/// The error for a cold run without a report; shows the run's output.
tl::unexpected<Error> plugin_missing(const ColdResult& cold, Console& console);

/// The exit code of a cancelled run: pytest's 2, else `cancelled`.
ExitCode exit_code_of_cancelled(int exit_code);

/// "0.25 s"
std::string seconds_text(double seconds);

}  // namespace stest
