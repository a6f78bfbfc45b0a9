#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/mcp/mcp_server.hpp"

namespace stest {

struct ToolAnswer {
  std::string text;
  bool is_error = false;  ///< The tool could not do its work. Failed tests are no error.
};

using Tool = ToolAnswer (*)(const nlohmann::json& arguments, McpCall& call);

/// Names, descriptions and schemas.
nlohmann::json tools_json();

/// Null if there is none of this name.
Tool find_tool(const std::string& name);

}  // namespace stest
