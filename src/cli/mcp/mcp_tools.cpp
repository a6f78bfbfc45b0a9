#include "cli/mcp/mcp_tools.hpp"

#include <array>
#include <chrono>
#include <ctime>

#include "cli/history/past_runs.hpp"
#include "cli/mcp/mcp_run.hpp"
#include "cli/project.hpp"
#include "client/program.hpp"

namespace stest {
namespace {

using nlohmann::json;

constexpr std::size_t most_text = 20'000;
constexpr std::chrono::minutes tool_limit{10};

std::string bounded(std::string text) {
  if (text.size() <= most_text) return text;
  return text.substr(0, most_text) + "\n… " + std::to_string(text.size() - most_text) + " bytes more\n";
}

std::vector<std::string> args_in(const json& arguments) {
  return arguments.value("args", std::vector<std::string>{});
}

/// What `stest ARGS` prints.
ToolAnswer output_of(std::vector<std::string> args) {
  SpawnOptions options;
  options.executable = executable_folder() / "stest";
  options.args = std::move(args);
  const auto end = run_program(std::move(options), tool_limit);
  if (!end) return {end.error().message, true};
  return {bounded(end->out + end->err), false};
}

ToolAnswer run_tests_tool(const json& arguments, McpCall& call) {
  auto answer = run_for_mcp(args_in(arguments), call);
  return {bounded(std::move(answer.text)), answer.is_error};
}

ToolAnswer report_answer(bool in_full, const std::string& only) {
  const auto project = current_project();
  if (!project) return {project.error().message, true};
  const auto report = report_on_record(*project);
  if (!report) return {report.error().message + "\n" + report.error().hint, true};
  return {bounded(report_text(*report, static_cast<double>(std::time(nullptr)), in_full, only)), false};
}

ToolAnswer last_failures(const json&, McpCall&) { return report_answer(false, ""); }

ToolAnswer explain(const json& arguments, McpCall&) {
  return report_answer(true, arguments.at("test").get<std::string>());
}

ToolAnswer status_tool(const json&, McpCall&) { return output_of({"status"}); }

ToolAnswer list_tests(const json& arguments, McpCall&) {
  std::vector<std::string> args{"run", "--report", "full", "--", "--collect-only", "-q"};
  for (auto& arg : args_in(arguments)) args.push_back(std::move(arg));
  return output_of(std::move(args));
}

struct ToolInfo {
  const char* name;
  const char* description;
  const char* properties;
  const char* required;
  bool only_reads;
  Tool call;
};

constexpr const char* args_property =
    R"({"args": {"type": "array", "items": {"type": "string"}, "description": "pytest's arguments"}})";
constexpr std::array<ToolInfo, 5> tools{{
    {"run_tests", "Run pytest in this project, warm, and report each cause of failures once.", args_property,
     "[]", false, run_tests_tool},
    {"last_failures", "What failed in the last run, without running again.", "{}", "[]", true, last_failures},
    {"explain", "A failure of the last run in full: traceback and captured output.",
     R"({"test": {"type": "string", "description": "a node id, or a part of it"}})", R"(["test"])", true,
     explain},
    {"status", "What the test daemon does, and what it has loaded.", "{}", "[]", true, status_tool},
    {"list_tests", "The node ids that pytest collects, without running them.", args_property, "[]", true,
     list_tests},
}};

}  // namespace

json tools_json() {
  auto list = json::array();
  for (const auto& tool : tools) {
    list.push_back({{"name", tool.name},
                    {"description", tool.description},
                    {"inputSchema",
                     {{"type", "object"},
                      {"properties", json::parse(tool.properties)},
                      {"required", json::parse(tool.required)}}},
                    {"annotations", {{"readOnlyHint", tool.only_reads}}}});
  }
  return list;
}

Tool find_tool(const std::string& name) {
  for (const auto& tool : tools) {
    if (tool.name == name) return tool.call;
  }
  return nullptr;
}

}  // namespace stest
