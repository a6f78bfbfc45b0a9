#include "cli/run/report_choice.hpp"

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/project.hpp"
#include "cli/terminal/presentation.hpp"

namespace stest {
namespace {

constexpr const char* report_variable = "SPRINTEST_REPORT";

/// How options begin that ask for more, less or other output, or for something else than tests.
constexpr std::array<std::string_view, 28> shaping{
    "--verbose",  "--quiet",    "--verbosity",        "--tb",        "--full-trace",   "--capture",
    "--show",     "--color",    "--code-highlight",   "--durations", "--no-header",    "--no-summary",
    "--report",   "--force-",   "--disable-warnings", "--xfail-tb",  "--collect-only", "--co",
    "--fixtures", "--funcargs", "--markers",          "--help",      "--version",      "--pdb",
    "--trace",    "--setup-",   "--pastebin",         "--debug"};

/// In a cluster such as "-xvs", up to the first flag that takes a value ("-k", "-m", "-p" and others).
bool has_shaping_flag(std::string_view cluster) {
  for (const char flag : cluster.substr(1)) {
    if (std::string_view("vqsrlhV").find(flag) != std::string_view::npos) return true;
    if (flag != 'x') return false;
  }
  return false;
}

bool shapes_output(const std::string& arg) {
  if (arg.size() < 2 || arg[0] != '-') return false;
  if (arg[1] != '-') return has_shaping_flag(arg);
  if (arg.starts_with("--cov")) return true;
  return std::any_of(shaping.begin(), shaping.end(), [&](auto begin) { return arg.starts_with(begin); });
}

Result<bool> is_brief_by(const std::string& value) {
  if (value == "brief") return true;
  if (value == "full") return false;
  return fail(ErrorCode::usage, std::string(report_variable) + " must be brief or full, not '" + value + "'");
}

}  // namespace

Result<bool> is_brief(const RunOptions& options, const Environment& env) {
  if (options.report) return *options.report == Report::brief;
  const auto variable = env.find(report_variable);
  if (variable != env.end() && !variable->second.empty()) return is_brief_by(variable->second);
  const auto& args = options.pytest_args;
  return !options.events && !agent_variable(env).empty() &&
         std::none_of(args.begin(), args.end(), shapes_output);
}

Status settle_report(RunOptions& options) {
  const auto project = current_project();
  if (!project) return {};  // The run says so.
  const auto brief = is_brief(options, project->env);
  if (!brief) return tl::unexpected(brief.error());
  if (!*brief) return {};
  options.pytest_args.insert(options.pytest_args.begin(), {"-p", brief_plugin});
  ::setenv("STEST_BRIEF", (project->paths.directory / "logs").c_str(), 1);
  return {};
}

}  // namespace stest
