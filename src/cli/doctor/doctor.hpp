#pragma once

#include <vector>

#include "cli/doctor/finding.hpp"
#include "cli/project.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Looks the installation and the machine over, for this project; neither starts nor disturbs a daemon.
/// Imports, in a process of its own, what a worker would, which may take as long as that does.
std::vector<Finding> examine(const Project& project, Console& console);

/// One line per finding, and below it what to do; or one JSON object.
std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

/// `unsound` if there is a failure among them.
ExitCode exit_code(const std::vector<Finding>& findings);

}  // namespace stest
