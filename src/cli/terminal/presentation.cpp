#include "cli/terminal/presentation.hpp"

#include <array>
#include <sstream>

namespace stest {
namespace {

/// Variables that coding agents set for the commands that they run, and that are not set in a user's shell.
constexpr std::array<std::string_view, 15> agent_variables{
    "AI_AGENT",  // a convention, as npm's @vercel/detect-agent knows it
    "AMP_CURRENT_THREAD_ID",
    "ANTIGRAVITY_AGENT",
    "AUGMENT_AGENT",
    "CLAUDECODE",  // Claude Code: code.claude.com/docs/en/env-vars
    "CLINE_ACTIVE",
    "CODEX_CI",  // Codex: codex-rs/core/src/unified_exec of openai/codex
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",  // Codex: developers.openai.com/codex/environment-variables
    "COPILOT_CLI",
    "CURSOR_AGENT",    // Cursor's agent: cursor.com/docs/agent/terminal
    "GEMINI_CLI",      // Gemini CLI: google-gemini.github.io/gemini-cli/docs/tools/shell.html
    "GOOSE_TERMINAL",  // Goose: block.github.io/goose/docs/guides/environment-variables
    "OPENCODE",        // opencode: packages/opencode/src/index.ts of anomalyco/opencode
    "PI_CODING_AGENT",
};

std::optional<bool> yes_or_no(std::string_view value) {
  if (value == "yes") return true;
  if (value == "no") return false;
  return std::nullopt;  // "auto"
}

/// The options of PYTEST_ADDOPTS, then the arguments.
std::vector<std::string> all_options(const std::vector<std::string>& pytest_args, const Environment& env) {
  std::istringstream words{value_of(env, "PYTEST_ADDOPTS")};
  std::vector<std::string> options;
  for (std::string word; words >> word;) options.push_back(word);
  for (const auto& arg : pytest_args) {
    if (arg == "--") break;
    options.push_back(arg);
  }
  return options;
}

std::optional<bool> wish_of_options(const std::vector<std::string>& options) {
  constexpr std::string_view option = "--color";
  std::optional<bool> wish;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view arg = options[i];
    if (!arg.starts_with(option)) continue;
    if (arg.size() > option.size() && arg[option.size()] == '=')
      wish = yes_or_no(arg.substr(option.size() + 1));
    if (arg == option && i + 1 < options.size()) wish = yes_or_no(options[i + 1]);
  }
  return wish;
}

}  // namespace

std::optional<bool> colour_wish(const std::vector<std::string>& pytest_args, const Environment& env) {
  if (const auto wish = wish_of_options(all_options(pytest_args, env))) return wish;
  const auto& py_colors = value_of(env, "PY_COLORS");
  if (py_colors == "1" || py_colors == "0") return py_colors == "1";
  if (!value_of(env, "NO_COLOR").empty()) return false;
  if (!value_of(env, "FORCE_COLOR").empty()) return true;
  return std::nullopt;
}

std::string_view agent_variable(const Environment& env) {
  for (const auto name : agent_variables) {
    if (!value_of(env, std::string(name)).empty()) return name;
  }
  return {};
}

Presentation presentation(const Circumstances& known, const Environment& env) {
  const auto wish = colour_wish(known.pytest_args, env);
  const bool is_for_agent = !agent_variable(env).empty() && !known.out_is_terminal && !wish.value_or(false);
  const bool is_terminal = known.err_is_terminal && value_of(env, "TERM") != "dumb";
  Presentation chosen;
  chosen.plain = known.plain_wanted || is_for_agent;
  chosen.colour = !chosen.plain && wish.value_or(is_terminal);
  chosen.animated = !chosen.plain && is_terminal;
  return chosen;
}

}  // namespace stest
