#include "worker/runner/run_entry.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "stest/exit_code.hpp"
#include "worker/python/python_values.hpp"
#include "worker/runner/run_context.hpp"
#include "worker/runner/run_place.hpp"
#include "worker/runner/standard_streams.hpp"

namespace py = pybind11;

namespace stest {

namespace {

/// A resident process stays where it began: it could not go back for the next run, which has another client.
void take_place(const protocol::RunTest& request) {
  if (request.process && request.mode != protocol::RunMode::resident) lead_as_client(request.process->leads);
}

/// Ctrl-C between two lines of stest's own code. Python's default handler raises it anywhere.
bool is_interrupt(const std::exception& error) {
  const auto* raised = dynamic_cast<const py::error_already_set*>(&error);
  return raised != nullptr && raised->matches(PyExc_KeyboardInterrupt);
}

}  // namespace

Status enter_run(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (Status taken = take_streams(fds); !taken) return taken;
  take_place(request);
  // What an earlier run in this process has left unread, or found ended.
  ::__fpurge(stdin);
  std::clearerr(stdin);
  ::umask(static_cast<mode_t>(request.umask));
  if (::chdir(request.cwd.c_str()) != 0) return errno_error("cannot enter " + request.cwd);
  return {};
}

void become_like_client(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  const auto state = own_module("sprintest.process._process_state");
  state.attr("set_environment")(python_environment(apply(changes, request.env)));
  run_context().gpus = request.gpus;
  if (request.process) state.attr("ignore_signals")(request.process->ignored_signals);
}

void take_attributes(const protocol::RunTest& request, bool is_fresh) {
  const auto why = request.process ? apply(*request.process) : std::nullopt;
  if (!why) return;
  if (!is_fresh) run_context().end(protocol::Phase::starts_over, *why);
  run_context().give_up(*why);
}

int internal_error(const std::exception& error) {
  if (is_interrupt(error)) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  if (!run_context().has_tested) run_context().give_up("an error in stest itself: " + one_line(error));
  std::fprintf(stderr, "stest: internal error in the runner: %s\n", error.what());
  return static_cast<int>(ExitCode::internal_error);
}

}  // namespace stest
