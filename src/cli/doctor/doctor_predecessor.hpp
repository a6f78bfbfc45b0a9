#pragma once

#include <optional>

#include "cli/doctor/finding.hpp"
#include "client/python_facts.hpp"
#include "common/os/runtime_paths.hpp"

namespace stest {

/// What the Python program sprintest, the predecessor of stest, has left in the environment, or does for this
/// project. Nothing if it has not been there.
std::optional<Finding> check_predecessor(const RuntimePaths& paths, const PythonFacts& python);

}  // namespace stest
