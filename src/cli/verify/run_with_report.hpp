#pragma once

#include <filesystem>

#include "cli/run/cold_run.hpp"
#include "cli/verify/scratch_folder.hpp"
#include "cli/verify/test_report.hpp"

namespace stest {

/// `args` of pytest with the plugin `sprintest.run._test_report` in front of them.
std::vector<std::string> with_report_plugin(const std::vector<std::string>& args);

/// `project` with the variable that tells the plugin to write into `file`.
Project with_report_file(Project project, const std::filesystem::path& file);

/// A cold run and what pytest found in it.
struct ColdRunWithReport {
  ColdResult result;
  TestReport report;
  bool has_report = false;  ///< Pytest got as far as loading the plugin.
};

/// A cold run with the plugin; where `only` is given, of these tests alone.
/// Errors: `internal`.
Result<ColdRunWithReport> run_cold_with_report(const std::vector<std::string>& args, const Project& project,
                                               const ScratchFolder& folder,
                                               const std::optional<std::vector<std::string>>& only = {});

/// The error for a run without a report; shows what it wrote.
tl::unexpected<Error> plugin_missing(const ColdResult& cold, Console& console);

/// What a run returns that was cancelled: pytest's own 2, else `cancelled`.
ExitCode exit_code_of_cancelled(int exit_code);

/// "0.25 s"
std::string seconds_text(double seconds);

}  // namespace stest
