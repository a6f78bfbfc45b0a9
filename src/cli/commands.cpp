#include "cli/commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command_line/node_ids.hpp"
#include "cli/daemons.hpp"
#include "cli/doctor/doctor.hpp"
#include "cli/history/past_runs.hpp"
#include "cli/hook.hpp"
#include "cli/logs.hpp"
#include "cli/mcp/mcp_server.hpp"
#include "cli/project.hpp"
#include "cli/run/cancel_run.hpp"
#include "cli/run/run.hpp"
#include "cli/status_text.hpp"
#include "cli/verify/verify.hpp"
#include "client/client.hpp"
#include "client/daemon_launcher.hpp"
#include "client/daemon_stopper.hpp"
#include "common/os/process.hpp"

namespace stest {
namespace {

/// The result of a command; `execute` reports errors.
using Answer = Result<ExitCode>;

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void print_line(Console& console, const std::string& line) { console.write(Stream::out, line + "\n"); }

std::string no_daemon(const Project& project) {
  return "stest: no daemon is running for " + project.paths.root.string();
}

Answer report_stopped(const Options& options, const Project& project, Console& console) {
  if (options.json) {
    const nlohmann::json stopped = {{"state", "stopped"},
                                    {"root", bytes_to_json(project.paths.root.string())}};
    print_line(console, stopped.dump(2));
  } else {
    print_line(console, no_daemon(project));
  }
  return ExitCode::not_running;
}

/// There may be thousands, and nobody would find the rest of the status.
void drop_modules(nlohmann::json& status) {
  const auto worker = status.find("worker");
  if (worker != status.end() && worker->is_object()) worker->erase("preloaded");
}

Answer status(const Options& options, const Project& project, Console& console) {
  const auto daemon = read_status(project.paths.status_file);
  if (!daemon) return report_stopped(options, project, console);
  auto status = DaemonClient(daemon->endpoint).status();
  if (!status && !is_alive(daemon->process)) return report_stopped(options, project, console);
  if (!status) return tl::unexpected(status.error());
  if (options.json && !options.modules) drop_modules(*status);
  // Arguments and node ids may contain escape sequences.
  console.write(Stream::out, options.json ? status->dump(2) + "\n"
                                          : plain_text(status_text(*status, seconds_since_epoch())));
  return ExitCode::ok;
}

Answer stop(const Options&, const Project& project, Console& console) {
  const auto stopped = stop_daemon(project.paths);
  if (!stopped) return tl::unexpected(stopped.error());
  if (!*stopped) {
    print_line(console, no_daemon(project));
    return ExitCode::ok;
  }
  const auto pid = std::to_string((*stopped)->pid);
  print_line(console, (*stopped)->by_force
                          ? "stest: the daemon (pid " + pid + ") did not answer and was killed"
                          : "stest: the daemon (pid " + pid + ") has stopped");
  return ExitCode::ok;
}

Answer start(const Options&, const Project& project, Console& console) {
  DaemonLauncher launcher(project.paths, own_installation(project.env),
                          [&](const std::string& line) { console.say(line); });
  const auto daemon = launcher.ensure();
  if (!daemon) return tl::unexpected(daemon.error());
  print_line(console, "stest: the daemon of " + project.paths.root.string() + " runs, pid " +
                          std::to_string(daemon->process.pid));
  return ExitCode::ok;
}

Answer restart(const Options& options, const Project& project, Console& console) {
  if (auto stopped = stop(options, project, console); !stopped) return stopped;
  return start(options, project, console);
}

Answer cancel(const Options& options, const Project& project, Console& console) {
  return cancel_run(options.cancel, project, console);
}

Answer logs(const Options& options, const Project& project, Console& console) {
  return static_cast<ExitCode>(print_log(project.paths.log_file, options.lines, options.follow, console));
}

Answer doctor(const Options& options, const Project& project, Console& console) {
  const auto findings = examine(project, console);
  console.write(Stream::out, options.json ? findings_json(findings) : findings_text(findings));
  return exit_code(findings);
}

Answer print_node_ids(const Options& options, const Project& project, Console& console) {
  const auto root = find_project_root(project.cwd);
  for (const auto& id : node_ids(root, project.cwd, options.text)) print_line(console, id);
  return ExitCode::ok;
}

struct Command {
  Action action;
  Answer (*execute)(const Options&, const Project&, Console&);
  bool needs_sight = true;  ///< If a daemon runs, the command must be able to see its process.
};

constexpr std::array<Command, 11> commands{{
    {Action::last, show_last, false},
    {Action::history, show_history, false},
    {Action::verify, verify},
    {Action::status, status},
    {Action::cancel, cancel},
    {Action::stop, stop},
    {Action::start, start},
    {Action::restart, restart},
    {Action::logs, logs, false},
    {Action::doctor, doctor, false},
    {Action::node_ids, print_node_ids, false},
}};

Answer execute_on_project(const Options& options, Console& console) {
  const auto project = current_project();
  if (!project) return tl::unexpected(project.error());
  for (const auto& command : commands) {
    if (command.action != options.action) continue;
    const auto seen = command.needs_sight ? check_visibility(project->paths) : Status();
    return seen ? command.execute(options, *project, console) : tl::unexpected(seen.error());
  }
  return fail(ErrorCode::internal, "a command without a function");
}

}  // namespace

int report(const Error& error, Console& console) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

int execute(const Options& options, Console& console) {
  if (options.action == Action::run) return run_tests(options.run, console);
  if (options.action == Action::print) {
    console.write(Stream::out, options.text);
    return static_cast<int>(ExitCode::ok);
  }
  if (options.action == Action::mcp) return serve_mcp();
  if (options.action == Action::hook) {
    console.write(Stream::out, hook_answer({std::istreambuf_iterator<char>(std::cin), {}}));
    return static_cast<int>(ExitCode::ok);
  }
  if (options.action == Action::ps) return static_cast<int>(list_daemons(options.json, console));
  if (options.action == Action::stop && options.all) return static_cast<int>(stop_all_daemons(console));
  const auto answer = execute_on_project(options, console);
  return answer ? static_cast<int>(*answer) : report(answer.error(), console);
}

}  // namespace stest
