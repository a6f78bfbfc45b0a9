#include "cli/hook.hpp"

#include <nlohmann/json.hpp>
#include <regex>

namespace stest {
namespace {

using nlohmann::json;

/// How each agent wants the changed input, by the name that it gives to the event.
json answer_for(const std::string& event, const json& input) {
  if (event == "BeforeTool")  // Gemini CLI
    return {{"hookSpecificOutput", {{"hookEventName", event}, {"tool_input", input}}}};
  if (event == "preToolUse")  // Cursor
    return {{"permission", "allow"}, {"updated_input", input}};
  return {{"hookSpecificOutput",  // Claude Code, Codex CLI, Copilot in VS Code
           {{"hookEventName", event},
            {"permissionDecision", "allow"},
            {"permissionDecisionReason", "stest runs pytest's tests warm"},
            {"updatedInput", input}}}};
}

}  // namespace

std::string with_stest(const std::string& command) {
  static const std::regex known(
      R"(( *(?:cd [\w./-]+ && )?)(?:python3? -m )?pytest((?: (?:[^;&|<>$`()\\\n])*)?(?:2>&1 *)?(?:\| *(?:tail|head)(?: [-\w]+)* *)?))");
  std::smatch match;
  if (!std::regex_match(command, match, known)) return {};
  return match[1].str() + "stest" + match[2].str();
}

std::string hook_answer(const std::string& input) {
  const auto request = json::parse(input, nullptr, false);
  if (!request.is_object() || !request.contains("tool_input") || !request["tool_input"].is_object())
    return {};
  auto changed = request["tool_input"];
  if (!changed.contains("command") || !changed["command"].is_string()) return {};
  const auto command = with_stest(changed["command"]);
  if (command.empty()) return {};
  changed["command"] = command;
  return answer_for(request.value("hook_event_name", "PreToolUse"), changed).dump() + "\n";
}

}  // namespace stest
