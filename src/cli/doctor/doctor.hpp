#pragma once

#include <vector>

#include "cli/doctor/finding.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Checks the installation and the machine for this project. Does not start or disturb a daemon. Imports, in
/// a separate process, the modules that a worker would preload, and takes as long.
std::vector<Finding> examine(const Project& project, Console& console);

/// One line per finding, with the remedy below it; or one JSON object.
std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

/// `unsound` if one of them is a failure.
ExitCode exit_code(const std::vector<Finding>& findings);

}  // namespace stest
