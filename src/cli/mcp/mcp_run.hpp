#pragma once

#include <string>
#include <vector>

#include "cli/mcp/mcp_tools.hpp"

namespace stest {

/// Runs the tests in a `stest` of its own, and returns the brief report. Tells each test as progress. Where
/// no warm process can be right, the run is cold.
ToolAnswer run_for_mcp(const std::vector<std::string>& pytest_args, McpCall& call);

}  // namespace stest
