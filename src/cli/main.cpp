#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/command_line/options.hpp"
#include "cli/commands.hpp"
#include "cli/history/past_runs.hpp"
#include "cli/python_choice.hpp"
#include "cli/run/cold_run.hpp"
#include "cli/run/output.hpp"
#include "cli/run/python.hpp"
#include "cli/run/report_choice.hpp"
#include "common/os/process.hpp"
#include "common/os/python_executable.hpp"

namespace {

using namespace stest;

Presentation presentation_for(const Options& options, const Console::Target& target) {
  Circumstances known;
  known.plain_wanted = options.run.plain;
  known.pytest_args = options.run.pytest_args;
  known.out_is_terminal = target.out_is_terminal;
  known.err_is_terminal = target.err_is_terminal;
  auto chosen = presentation(known, current_environment());
  if (options.run.events) chosen.plain = false;  // JSON is plain text already.
  return chosen;
}

/// If the caller has closed 0, 1 or 2, no other file may get these numbers: a socket as descriptor 1 would
/// get the tests' output.
void fill_standard_descriptors() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd < STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

bool runs_tests(Action action) { return action == Action::run || action == Action::verify; }

/// The commands that are not named here work whatever SPRINTEST_PYTHON says: they print something, or are
/// about a daemon that runs.
Status settle(Options& options) {
  const auto action = options.action;
  const bool is_used =
      runs_tests(action) || action == Action::python || action == Action::start || action == Action::restart;
  if (!is_used && action != Action::doctor) return {};
  auto settled = settle_python(options.run.python);
  if (settled && is_used) settled = require_python();  // The doctor reports on a Python that is gone.
  if (settled && options.run.failed) settled = settle_failed(options.run);
  return settled && action == Action::run ? settle_report(options.run) : settled;
}

/// Whoever runs tests should know if they run in another environment than usual.
void say_environment(const Options& options, Console& console) {
  if (!runs_tests(options.action) || is_very_quiet(options.run.pytest_args)) return;
  const auto project = current_project();
  if (!project) return;  // The command says so.
  const auto line = other_environment(python_executable(executable_folder()), *project);
  if (line) console.say(*line);
}

int run(const std::vector<std::string>& args) {
  auto options = parse_options(args);
  const auto target = Console::standard();
  Console console(target, presentation_for(options.value_or(Options{}), target));
  if (!options) return report(options.error(), console);
  if (!options->notice.empty()) console.say(options->notice);
  if (auto settled = settle(*options); !settled) return report(settled.error(), console);
  say_environment(*options, console);
  if (options->action == Action::python) return run_python(options->python_args, console);
  // Before anything else, because pytest inherits descriptors and signals as they are.
  if (options->run.cold) return report(become_cold_run(options->run.pytest_args), console);
  fill_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);  // If the reader has left, the write fails instead.
  const int code = execute(*options, console);
  return code == 0 && console.is_incomplete() ? static_cast<int>(ExitCode::daemon_unavailable) : code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& exception) {
    Console console(Console::standard(), {});
    return report({ErrorCode::internal, exception.what(), "this is a bug in stest"}, console);
  }
}
