#include "runner.hpp"

#include <fcntl.h>
#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "event_pipe.hpp"

namespace py = pybind11;

namespace stest {

namespace {

/// What the plugin's calls act on; set once in each runner, before pytest starts.
struct RunState {
  FlightRecorder recorder;
  EventPipe events;
};
std::optional<RunState> run_state;

/// A Python string as UTF-8, whatever is in it (node ids may hold lone surrogates).
std::string utf8(const py::str& text) {
  const auto bytes =
      py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  if (!bytes) throw py::error_already_set();
  return bytes;
}

void write_test_event(const std::string& nodeid, const char* when, const std::string& outcome,
                      double duration_s) {
  run_state->events.write({{"event", "test"},
                           {"nodeid", nodeid},
                           {"when", when},
                           {"outcome", outcome},
                           {"duration_s", duration_s}});
}

}  // namespace

/// The only way from a run's Python code to the daemon.
PYBIND11_EMBEDDED_MODULE(_stest_runner, m) {
  m.def("test_started", [](const py::str& nodeid) {
    run_state->recorder.set_nodeid(utf8(nodeid));
    write_test_event(utf8(nodeid), "start", "", 0);
  });
  m.def("test_finished", [] { run_state->recorder.set_nodeid(""); });
  m.def("report",
        [](const py::str& nodeid, const std::string& when, const std::string& outcome, double duration_s) {
          write_test_event(utf8(nodeid), when.c_str(), outcome, duration_s);
        });
  m.def("session_finished", [] { run_state->recorder.set_phase(protocol::Phase::session_finished); });
  m.def("returned", [] { run_state->recorder.set_phase(protocol::Phase::returned); });
  m.def("imported", [](const std::vector<std::string>& modules) {
    run_state->events.write({{"event", "imported"}, {"modules", modules}});
  });
}

namespace {

Status become_run(const protocol::RunTest& request, std::vector<Fd>& fds) {
  ::setsid();
  // If the zygote is killed together with the daemon, nobody is left to end this process.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int target = 0; target < 3; ++target) {
    if (::dup2(fds.at(static_cast<std::size_t>(target)).get(), target) < 0) return errno_error("dup2");
  }
  ::umask(static_cast<mode_t>(request.umask));
  if (::chdir(request.cwd.c_str()) != 0) return errno_error("cannot enter " + request.cwd);
  return {};
}

/// When memory runs out, the tests that eat it go first, not the warm zygote nor the user's editor.
void volunteer_for_oom_killer() {
  if (Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); file) {
    (void)write_all(file.get(), "500");
  }
}

py::dict environment_of(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  py::dict result;
  for (const auto& [name, value] : apply(changes, request.env)) result[py::bytes(name)] = py::bytes(value);
  return result;
}

/// Strings of the operating system, as Python has them in `sys.argv`.
py::list fs_decode(const std::vector<std::string>& values) {
  py::list result;
  for (const auto& value : values) {
    result.append(py::reinterpret_steal<py::object>(
        PyUnicode_DecodeFSDefaultAndSize(value.data(), static_cast<Py_ssize_t>(value.size()))));
  }
  return result;
}

int run_pytest(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  try {
    const py::module_ runner = py::module_::import("sprintest._runner");
    runner.attr("set_environment")(environment_of(request, changes));
    run_state->recorder.set_phase(protocol::Phase::running);
    return runner.attr("main")(fs_decode(request.args), fs_decode(request.nuke)).cast<int>();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stest: internal error in the runner: %s\n", error.what());
    return static_cast<int>(ExitCode::internal_error);
  }
}

}  // namespace

void run_in_this_process(const protocol::RunTest& request, std::vector<Fd> fds, FlightRecorder recorder,
                         const EnvironmentChanges& changes) {
  recorder.claim();
  if (Status ready = become_run(request, fds); !ready) {
    // stderr is the run's own by now, or the worker's log where not even that could be had.
    std::fprintf(stderr, "stest: %s\n", ready.error().message.c_str());
    ::_exit(static_cast<int>(ExitCode::worker_failed));
  }
  volunteer_for_oom_killer();
  run_state.emplace(RunState{std::move(recorder), EventPipe(std::move(fds.at(3)))});
  fds.clear();
  const int code = run_pytest(request, changes);
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace stest
