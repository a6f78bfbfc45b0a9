#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <sys/prctl.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "common/os/cgroup.hpp"
#include "common/os/process.hpp"
#include "stest/exit_code.hpp"
#include "stest/messages.hpp"
#include "worker/python/audit.hpp"
#include "worker/python/file_states.hpp"
#include "worker/python/finalisers.hpp"
#include "worker/python/held_objects.hpp"
#include "worker/python/interpreter.hpp"
#include "worker/python/python_values.hpp"
#include "worker/python/type_questions.hpp"
#include "worker/runner/program.hpp"
#include "worker/runner/run_context.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/raw_calls.hpp"

namespace py = pybind11;

namespace stest {

namespace {

/// Python's `details_of` as `event::Details`; nothing for None.
std::optional<event::Details> details_from(const py::object& details) {
  if (details.is_none()) return std::nullopt;
  const auto text = [&](const char* name) { return utf8(py::str(details[name])); };
  return event::Details{text("message"),  text("file"),   details["line"].cast<int>(),
                        text("longrepr"), text("output"), details["xfail"].cast<bool>()};
}

void write_test_event(const py::str& nodeid, const std::string& when, const std::string& outcome,
                      double duration_s, const std::string& worker, const py::object& details = py::none()) {
  run_context().tell(
      to_json(Event(event::Test{utf8(nodeid), when, outcome, duration_s, worker, details_from(details)})));
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
  auto fds = run_context().snapshot->stay(run_context().recorder, is_pinned, accepts_args);
  if (!fds) return py::none();
  py::list args = fs_decode(run_context().snapshot->args());
  run_context().begin_requested_run(std::move(*fds));
  return args;
}

/// Blocks for the request that this process is ahead of. Where it has collected the tests (no `reason` to
/// wait earlier) it initialises CUDA before, if it may.
void await_request(const py::function& initialise_cuda, const py::str& reason) {
  file_reads::stop();
  raw_calls::stop();
  const auto why = utf8(reason);
  if (why.empty() && run_context().snapshot->may_initialise_cuda()) initialise_cuda();
  run_context().begin_requested_run(
      run_context().snapshot->await(run_context().recorder, run_context().written_pages.get(), why));
}

}  // namespace

/// The only way from a run's Python code to the daemon.
PYBIND11_EMBEDDED_MODULE(_stest_runner, m) {
  m.def("test_started", [](const py::str& nodeid, const std::string& worker) {
    run_context().require_request();
    run_context().has_tested = true;
    if (worker.empty()) run_context().recorder.set_nodeid(utf8(nodeid));  // Else it runs elsewhere.
    write_test_event(nodeid, "start", "", 0, worker);
  });
  m.attr("WARM_CHILDREN") = warm_children;
  m.attr("WORKER_FAILED") = static_cast<int>(ExitCode::worker_failed);
  m.def("modules_at_start", &modules_at_start);
  m.def("become_python", &become_python);
  m.def("set_flags", &set_flags);
  m.def("client", [] { return (executable_folder() / "stest").string(); });
  m.def("test_finished", [] { run_context().recorder.set_nodeid(""); });
  m.def("report", [](const py::str& nodeid, const std::string& when, const std::string& outcome,
                     double duration_s, const std::string& worker, const py::object& details) {
    write_test_event(nodeid, when, outcome, duration_s, worker, details);
  });
  m.def("add_audit_listener", &audit::add);
  m.def("remove_audit_listener", &audit::remove);
  m.def("likes_cuda_ahead", [] { run_context().recorder.set_likes_cuda_ahead(); });
  m.def("configured", [] { run_context().recorder.pass(&protocol::Milestones::configured); });
  m.def("collected", [] { run_context().recorder.pass(&protocol::Milestones::collected); });
  m.def("collected_tests", [](std::size_t count, const py::str& last_failed) {
    run_context().tell(
        {{"event", "collected"}, {"tests", count}, {"last_failed", bytes_to_json(fs_encode(last_failed))}});
  });
  m.def("session_finished", [] {
    run_context().recorder.set_phase(protocol::Phase::session_finished);
    run_context().recorder.pass(&protocol::Milestones::tested);
  });
  m.def("returned", [] { run_context().recorder.set_phase(protocol::Phase::returned); });
  m.def("imported", [](const std::vector<std::string>& modules, const py::list& path) {
    auto entries = nlohmann::json::array();
    for (const auto& entry : path) {
      if (py::isinstance<py::str>(entry)) entries.push_back(utf8(py::reinterpret_borrow<py::str>(entry)));
    }
    run_context().tell({{"event", "imported"}, {"modules", modules}, {"path", entries}});
  });
  m.def("loaded",
        [](const py::str& name, const std::string& key, const std::string& request, const py::str& reason) {
          run_context().tell({{"event", "loaded"},
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
          run_context().tell({{"event", "differs"},
                              {"module", utf8(module)},
                              {"variables", values},
                              {"outdated", is_outdated},
                              {"repeatable", is_repeatable}});
        });
  m.def("settled", [] { run_context().tell({{"event", "settled"}}); });
  m.def("notice", [](const py::str& text, const std::vector<std::string>& reloaded) {
    run_context().tell({{"event", "notice"}, {"text", utf8(text)}, {"reloaded", reloaded}});
  });
  m.def("start_over",
        [](const py::str& reason) { run_context().end(protocol::Phase::starts_over, utf8(reason)); });
  m.def("give_up", [](const py::str& reason) { run_context().give_up(utf8(reason)); });
  m.def("gpus", [] { return run_context().gpus; });
  m.def("usable_processors", &usable_processors);
  m.def("has_tested", [] { return run_context().has_tested; });
  m.def("require_request", [] { run_context().require_request(); });
  m.def("exit_matters", [] { run_context().exit_matters = true; });
  // Of a process that was forked ahead of its request.
  m.def("is_snapshot", [] { return run_context().snapshot.has_value(); });
  m.def("is_edited", &Snapshot::is_edited);
  m.def("is_snapshot_due", [](const std::string& file) { return run_context().snapshot->is_due(file); });
  m.def("why_not_forkable", [] { return run_context().snapshot->why_not_forkable(); });
  m.def("stay", &stay);
  m.def("watch_files", [](std::vector<std::string> exempt) {
    file_reads::start(std::move(exempt), &type_questions::is_asked);
    raw_calls::start();
  });
  m.def("put_off", [](const py::str& path) { file_reads::put_off(fs_encode(path)); });
  m.def("has_seen_unchanged", &file_reads::has_seen_unchanged);
  m.def("carry_out_changes", &file_reads::carry_out_changes);
  m.def("count_pytest_cache", &file_reads::count_pytest_cache);
  m.def("finalisers_are_in", &finalisers::are_in);
  m.def("finalisers_are_only_in_use_elsewhere", &finalisers::are_only_in_use_elsewhere);
  m.def("run_finalisers", &finalisers::run);
  m.def("know_type_questions", &type_questions::know);
  m.def("in_other_state", &in_other_state);
  m.def("changed_holders", &held_objects::changed);
  m.def("changed_values", &held_objects::changed_values);
  m.def("names_of", &held_objects::names_of);
  m.def("stop_watching_files", [] {
    file_reads::stop();
    raw_calls::stop();
  });
  m.def("unknown_system_call", &raw_calls::unknown);
  m.def("watched_files", [] { return fs_decode(file_reads::files()); });
  m.def("die_with_parent", [] { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
  m.def("cannot_go_on", [](const py::str& reason) { run_context().snapshot->refuse(utf8(reason)); });
  m.def("await_request", &await_request);
}

}  // namespace stest
