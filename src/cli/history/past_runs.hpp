#pragma once

#include "cli/command_line/options.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// `stest last`: the report of a run on record. Errors: `not_running` if there is none.
Result<ExitCode> show_last(const Options& options, const Project& project, Console& console);

/// `stest history`: the last runs, or the outcomes of tests in them.
Result<ExitCode> show_history(const Options& options, const Project& project, Console& console);

/// For `stest run --failed`: adds the tests that failed in the last run to the arguments. Errors:
/// `not_running` if that run is not on record, or nothing has failed.
Status settle_failed(RunOptions& options);

/// A report of the history, with its field "id": that of a run, or the last one. Errors: `not_running`; the
/// last run was cold.
Result<nlohmann::json> report_on_record(const Project& project, std::optional<std::int64_t> id = {});

/// Of a report: when and what, result, and one line for each failed test, or all about these (`in_full`), of
/// those whose node id contains `only`.
std::string report_text(const nlohmann::json& report, double now, bool in_full, const std::string& only = {});

}  // namespace stest
