#include "worker/runner/runner.hpp"

#include <fcntl.h>
#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "common/os/close_fds.hpp"
#include "common/os/process.hpp"
#include "stest/messages.hpp"
#include "worker/python/audit.hpp"
#include "worker/python/file_states.hpp"
#include "worker/python/held_objects.hpp"
#include "worker/python/python_values.hpp"
#include "worker/python/type_questions.hpp"
#include "worker/runner/event_pipe.hpp"
#include "worker/runner/run_place.hpp"
#include "worker/runner/stack_request.hpp"
#include "worker/runner/standard_streams.hpp"
#include "worker/snapshot/snapshot.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/raw_calls.hpp"

namespace py = pybind11;

namespace stest {

namespace {

/// What the plugin's calls act on; set once in each runner, before pytest starts.
struct RunState {
  FlightRecorder recorder;
  EventPipe events;
  std::vector<nlohmann::json> early = {};  ///< Events from before the request.
  bool exit_matters = false;               ///< See `end_run_process`.
  bool has_tested = false;                 ///< A test has begun.
};
std::optional<RunState> run_state;
/// Set where this process was forked ahead of its request.
std::optional<Snapshot> snapshot;
std::shared_ptr<WrittenPages> written_pages;

void tell(nlohmann::json event) {
  if (snapshot) {
    run_state->early.push_back(std::move(event));
  } else {
    run_state->events.write(event);
  }
}

void write_test_event(const std::string& nodeid, const char* when, const std::string& outcome,
                      double duration_s) {
  tell({{"event", "test"},
        {"nodeid", nodeid},
        {"when", when},
        {"outcome", outcome},
        {"duration_s", duration_s}});
}

void answer_stack_requests(Fd fd);

/// Ends this process. A run that starts over may be right in another fork, one that needs a cold process
/// cannot.
[[noreturn]] void end_in(FlightRecorder& recorder, protocol::Phase phase, const std::string& reason) {
  recorder.set_nodeid(reason);
  recorder.set_phase(phase);
  ::_exit(0);
}

/// Has the run done by plain pytest. What goes wrong in stest's own code before a test has begun, and what no
/// warm process can be right in, costs no answer.
[[noreturn]] void give_up(const std::string& reason) {
  if (snapshot) snapshot->refuse(reason);
  end_in(run_state->recorder, protocol::Phase::needs_cold, reason);
}

/// Stands where pytest begins to run tests. In a process that was forked ahead it does not return until the
/// request has come: whatever leads here, no test runs unasked.
void require_request() {
  if (snapshot) snapshot->refuse("it would run tests before they were asked for");
}

/// The request has come that this process was ahead of.
void begin_asked_run(std::vector<Fd> fds) {
  snapshot.reset();
  run_state->events = EventPipe(std::move(fds.at(0)));
  for (const auto& event : std::exchange(run_state->early, {})) run_state->events.write(event);
  answer_stack_requests(std::move(fds.at(1)));
  run_state->recorder.set_phase(protocol::Phase::running);
  run_state->recorder.pass(&protocol::Milestones::begun);
}

/// Stays behind as a snapshot; see there. Returns the arguments of the request if it has come, or None.
/// `accepts` tells whether it may be one with other arguments; None is never.
py::object stay(bool is_pinned, const py::object& accepts) {
  Snapshot::Accepts accepts_args;
  if (!accepts.is_none()) {
    accepts_args = [&](const std::vector<std::string>& args) {
      return accepts(fs_decode(args)).cast<bool>();
    };
  }
  auto fds = snapshot->stay(run_state->recorder, is_pinned, accepts_args);
  if (!fds) return py::none();
  py::list args = fs_decode(snapshot->args());
  begin_asked_run(std::move(*fds));
  return args;
}

/// Blocks for the request that this process is ahead of. Where it has collected the tests (no `reason` to
/// wait earlier) it initialises CUDA before, if it may.
void await_request(const py::function& initialise_cuda, const py::str& reason) {
  file_reads::stop();
  raw_calls::stop();
  const auto why = utf8(reason);
  if (why.empty() && snapshot->may_initialise_cuda()) initialise_cuda();
  begin_asked_run(snapshot->await(run_state->recorder, written_pages.get(), why));
}

}  // namespace

/// The only way from a run's Python code to the daemon.
PYBIND11_EMBEDDED_MODULE(_stest_runner, m) {
  m.def("test_started", [](const py::str& nodeid) {
    require_request();
    run_state->has_tested = true;
    run_state->recorder.set_nodeid(utf8(nodeid));
    write_test_event(utf8(nodeid), "start", "", 0);
  });
  m.def("test_finished", [] { run_state->recorder.set_nodeid(""); });
  m.def("report",
        [](const py::str& nodeid, const std::string& when, const std::string& outcome, double duration_s) {
          write_test_event(utf8(nodeid), when.c_str(), outcome, duration_s);
        });
  m.def("add_audit_listener", &audit::add);
  m.def("remove_audit_listener", &audit::remove);
  m.def("likes_cuda_ahead", [] { run_state->recorder.set_likes_cuda_ahead(); });
  m.def("configured", [] { run_state->recorder.pass(&protocol::Milestones::configured); });
  m.def("collected", [] { run_state->recorder.pass(&protocol::Milestones::collected); });
  m.def("collected_tests", [](std::size_t count, const py::str& last_failed) {
    tell({{"event", "collected"}, {"tests", count}, {"last_failed", bytes_to_json(fs_encode(last_failed))}});
  });
  m.def("session_finished", [] {
    run_state->recorder.set_phase(protocol::Phase::session_finished);
    run_state->recorder.pass(&protocol::Milestones::tested);
  });
  m.def("returned", [] { run_state->recorder.set_phase(protocol::Phase::returned); });
  m.def("imported", [](const std::vector<std::string>& modules, const py::list& path) {
    auto entries = nlohmann::json::array();
    for (const auto& entry : path) {
      if (py::isinstance<py::str>(entry)) entries.push_back(utf8(py::reinterpret_borrow<py::str>(entry)));
    }
    tell({{"event", "imported"}, {"modules", modules}, {"path", entries}});
  });
  m.def("compiled", [](const std::vector<std::string>& patterns) {
    tell({{"event", "compiled"}, {"patterns", patterns}});
  });
  m.def("loaded",
        [](const py::str& name, const std::string& key, const std::string& request, const py::str& reason) {
          tell({{"event", "loaded"},
                {"name", utf8(name)},
                {"key", key},
                {"request", request},
                {"reason", utf8(reason)}});
        });
  m.def("differs",
        [](const py::str& module, const std::map<std::string, std::optional<std::string>>& variables,
           bool is_outdated, bool is_repeatable) {
          auto values = nlohmann::json::object();
          for (const auto& [name, value] : variables) values[name] = value ? bytes_to_json(*value) : nullptr;
          tell({{"event", "differs"},
                {"module", utf8(module)},
                {"variables", values},
                {"outdated", is_outdated},
                {"repeatable", is_repeatable}});
        });
  m.def("settled", [] { tell({{"event", "settled"}}); });
  m.def("notice", [](const py::str& text, const std::vector<std::string>& reloaded) {
    tell({{"event", "notice"}, {"text", utf8(text)}, {"reloaded", reloaded}});
  });
  m.def("start_over", [](const py::str& reason) {
    end_in(run_state->recorder, protocol::Phase::starts_over, utf8(reason));
  });
  m.def("give_up", [](const py::str& reason) { give_up(utf8(reason)); });
  m.def("has_tested", [] { return run_state->has_tested; });
  m.def("require_request", &require_request);
  m.def("exit_matters", [] { run_state->exit_matters = true; });
  // Of a process that was forked ahead of its request.
  m.def("is_snapshot", [] { return snapshot.has_value(); });
  m.def("is_edited", &Snapshot::is_edited);
  m.def("is_snapshot_due", [](const std::string& file) { return snapshot->is_due(file); });
  m.def("why_not_forkable", [] { return snapshot->why_not_forkable(); });
  m.def("stay", &stay);
  m.def("watch_files", [](std::vector<std::string> exempt) {
    file_reads::start(std::move(exempt), &type_questions::is_asked);
    raw_calls::start();
  });
  m.def("count_pytest_cache", &file_reads::count_pytest_cache);
  m.def("know_type_questions", &type_questions::know);
  m.def("in_other_state", &in_other_state);
  m.def("changed_holders", &held_objects::changed);
  m.def("names_of", &held_objects::names_of);
  m.def("stop_watching_files", [] {
    file_reads::stop();
    raw_calls::stop();
  });
  m.def("unknown_system_call", &raw_calls::unknown);
  m.def("watched_files", [] { return fs_decode(file_reads::files()); });
  m.def("die_with_parent", [] { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
  m.def("cannot_go_on", [](const py::str& reason) { snapshot->refuse(utf8(reason)); });
  m.def("await_request", &await_request);
}

namespace {

/// A resident process stays where it began: it could not go back for the next run, which has another client.
void take_place(const protocol::RunTest& request) {
  if (request.process && request.mode != protocol::RunMode::resident) lead_as_client(request.process->leads);
}

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

/// What Python has to know of, or does better.
void become_like_client(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  const auto state = py::module_::import("sprintest.process._process_state");
  state.attr("set_environment")(python_environment(apply(changes, request.env)));
  if (request.process) state.attr("ignore_signals")(request.process->ignored_signals);
}

/// Ends this process where it cannot be as the client is. One that has served a run may have lost what a
/// fresh one still has.
void take_attributes(const protocol::RunTest& request, bool is_fresh) {
  const auto why = request.process ? apply(*request.process) : std::nullopt;
  if (!why) return;
  if (!is_fresh) end_in(run_state->recorder, protocol::Phase::starts_over, *why);
  give_up(*why);
}

/// Has `faulthandler` answer what the daemon asks about a silent run. It needs no interpreter lock, so that
/// a thread which is blocked in C code is no obstacle.
void answer_stack_requests(Fd fd) {
  static void (*dump)(int) = nullptr;
  EventPipe pipe(std::move(fd));
  try {
    py::module_::import("faulthandler")
        .attr("register")(stack_signal(), py::arg("file") = pipe.fd(), py::arg("all_threads") = true,
                          py::arg("chain") = false);
  } catch (const py::error_already_set&) {
    return;  // A run without stacks is as good an answer.
  }
  if (dump == nullptr) {
    struct sigaction action {};
    ::sigaction(stack_signal(), nullptr, &action);
    dump = action.sa_handler;
  }
  stest::answer_stack_requests(std::move(pipe), dump);
}

/// Ctrl-C between two lines of stest's own code. Python's default handler raises it anywhere.
bool is_interrupt(const std::exception& error) {
  const auto* raised = dynamic_cast<const py::error_already_set*>(&error);
  return raised != nullptr && raised->matches(PyExc_KeyboardInterrupt);
}

int internal_error(const std::exception& error) {
  if (is_interrupt(error)) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  if (!run_state->has_tested) give_up("an error in stest itself: " + one_line(error));
  std::fprintf(stderr, "stest: internal error in the runner: %s\n", error.what());
  return static_cast<int>(ExitCode::internal_error);
}

int run_pytest(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  try {
    become_like_client(request, changes);
    if (!snapshot) run_state->recorder.set_phase(protocol::Phase::running);
    return py::module_::import("sprintest.run._runner").attr("main")(fs_decode(request.args)).cast<int>();
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

[[noreturn]] void end_process(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

/// The end of a process that has run tests. The kernel takes milliseconds to take down what torch has mapped,
/// and nobody need wait for that: the answer is final and every descriptor closed. Only where something is
/// freed by the end alone (memory of a device, children) is it waited for.
[[noreturn]] void end_run_process(int code) {
  std::fflush(nullptr);
  const bool is_childless = ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
  if (is_childless && !run_state->exit_matters && !snapshot) {
    close_fds_from(0, nullptr, 0);
    run_state->recorder.set_exit_code(code);
    ::kill(::getppid(), SIGCHLD);  // Where it may not, the zygote learns of it by our end.
    if (written_pages) written_pages->record();
  }
  ::_exit(code);
}

}  // namespace

protocol::Done end_of_run(std::uint64_t id, const FlightRecorder& recorder, int status) {
  protocol::Done done;
  done.id = id;
  done.phase = recorder.phase();
  done.nodeid = recorder.nodeid();
  done.milestones = recorder.milestones();
  if (WIFEXITED(status)) done.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) done.signal = WTERMSIG(status);
  return done;
}

protocol::Done could_not_run(std::uint64_t id, std::string why) {
  protocol::Done done;
  done.id = id;
  done.error = std::move(why);
  return done;
}

void be_first_to_go() { set_oom_score_adj(500); }

std::optional<ReceivedRun> receive_run(LineChannel& channel) {
  auto line = channel.receive();
  if (!line || !*line) return std::nullopt;
  auto message = protocol::to_worker_from_json(nlohmann::json::parse((*line)->text, nullptr, false));
  auto* request = message ? std::get_if<protocol::RunTest>(&*message) : nullptr;
  if (request == nullptr) return std::nullopt;
  return ReceivedRun{std::move(*request), std::move((*line)->fds)};
}

void say_begun(LineChannel& channel) {
  (void)channel.send(protocol::to_json(protocol::FromWorker(protocol::Started{0, ::getpid()})).dump());
  ::close(channel.fd());
}

void run_in_this_process(const protocol::RunTest& request, std::vector<Fd> fds, FlightRecorder recorder,
                         const EnvironmentChanges& changes, std::shared_ptr<WrittenPages> written) {
  recorder.claim();
  recorder.pass(&protocol::Milestones::begun);
  written_pages = std::move(written);
  if (Status ready = enter_run(request, fds); !ready) {
    end_in(recorder, protocol::Phase::needs_cold, ready.error().message);
  }
  run_state.emplace(RunState{std::move(recorder), EventPipe(std::move(fds.at(3)))});
  take_attributes(request, true);
  answer_stack_requests(std::move(fds.at(4)));
  fds.clear();
  end_run_process(run_pytest(request, changes));
}

void prime_in_this_process(LineChannel& channel, Fd inotify, StandIns stand_ins,
                           const protocol::RunTest& request, std::optional<std::uint64_t> likes_cuda_since_ns,
                           std::shared_ptr<WrittenPages> written, FlightRecorder recorder,
                           const EnvironmentChanges& changes) {
  recorder.claim();
  written_pages = std::move(written);
  snapshot.emplace(channel, std::move(inotify), std::move(stand_ins), request, likes_cuda_since_ns);
  if (Status ready = enter_run(request, snapshot->stand_ins()); !ready) {
    snapshot->refuse(ready.error().message);
  }
  run_state.emplace(RunState{std::move(recorder), EventPipe(Fd())});
  take_attributes(request, true);
  end_run_process(run_pytest(request, changes));
}

// ---- run after run

namespace {

/// Tests may close every descriptor, and open a file of theirs under the channel's number.
class ChannelGuard {
 public:
  explicit ChannelGuard(const LineChannel& channel) : fd_(channel.fd()) { ::fstat(fd_, &info_); }
  bool is_intact() const {
    struct stat now {};
    return ::fstat(fd_, &now) == 0 && now.st_dev == info_.st_dev && now.st_ino == info_.st_ino;
  }

 private:
  int fd_;
  struct stat info_ {};
};

/// Collects what the zygote has killed of the last run's children, and others that have ended.
void collect_children() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

/// A Ctrl-C that came when the last run was over belongs to nobody.
void forget_signals() {
  if (PyErr_CheckSignals() != 0) PyErr_Clear();
}

/// pytest's exit code, and whether this process must end.
std::pair<int, bool> run_once(const py::object& resident, const protocol::RunTest& request,
                              const EnvironmentChanges& changes) {
  try {
    forget_signals();
    become_like_client(request, changes);
    run_state->recorder.set_phase(protocol::Phase::running);
    return resident.attr("run")(fs_decode(request.args)).cast<std::pair<int, bool>>();
  } catch (const std::exception& error) {
    return {internal_error(error), true};
  }
}

/// Whether the next run may come.
bool rest(const py::object& resident) {
  try {
    resident.attr("rest")();
    return true;
  } catch (const std::exception& error) {
    (void)internal_error(error);
    return false;
  }
}

py::object make_resident(std::uint64_t memory_limit, FlightRecorder& recorder) {
  try {
    return py::module_::import("sprintest.run._resident").attr("Resident")(memory_limit);
  } catch (const std::exception& error) {
    end_in(recorder, protocol::Phase::needs_cold, "an error in stest itself: " + one_line(error));
  }
}

}  // namespace

void serve_runs(LineChannel& channel, FlightRecorder recorder, std::uint64_t memory_limit,
                const EnvironmentChanges& changes) {
  recorder.claim();
  const StandardStreams streams;
  const ChannelGuard guard(channel);
  const py::object resident = make_resident(memory_limit, recorder);
  run_state.emplace(RunState{std::move(recorder), EventPipe(Fd())});
  bool is_fresh = true;
  while (auto run = receive_run(channel)) {
    const auto& request = run->request;
    run_state->has_tested = false;
    run_state->recorder.pass(&protocol::Milestones::begun);
    if (Status ready = enter_run(request, run->fds); !ready) {
      end_in(run_state->recorder, protocol::Phase::needs_cold, ready.error().message);
    }
    collect_children();
    run_state->events = EventPipe(std::move(run->fds.at(3)));
    take_attributes(request, std::exchange(is_fresh, false));
    answer_stack_requests(std::move(run->fds.at(4)));
    run->fds.clear();
    const auto [code, is_last] = run_once(resident, request, changes);
    if (is_last || !guard.is_intact()) end_process(code);
    std::fflush(nullptr);
    release_terminal();
    streams.restore();
    run_state->events = EventPipe(Fd());
    protocol::Done done;
    done.id = request.id;
    done.phase = run_state->recorder.phase();
    done.milestones = run_state->recorder.milestones();
    done.exit_code = code;
    (void)channel.send(protocol::to_json(protocol::FromWorker(done)).dump());
    if (!rest(resident)) break;
  }
  py::module_::import("sprintest.run._runner").attr("finish")(py::list());
  end_process(0);
}

}  // namespace stest
