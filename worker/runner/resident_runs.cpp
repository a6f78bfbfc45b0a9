#include "worker/runner/resident_runs.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "worker/python/python_values.hpp"
#include "worker/runner/run_context.hpp"
#include "worker/runner/run_entry.hpp"
#include "worker/runner/runner.hpp"
#include "worker/runner/standard_streams.hpp"

namespace py = pybind11;

namespace stest {

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
    run_context().recorder.set_phase(protocol::Phase::running);
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

py::object make_resident(std::uint64_t memory_limit) {
  try {
    return own_module("sprintest.run._resident").attr("Resident")(memory_limit);
  } catch (const std::exception& error) {
    run_context().end(protocol::Phase::needs_cold, "an error in stest itself: " + one_line(error));
  }
}

[[noreturn]] void end_after_runs(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

void serve_runs(LineChannel& channel, FlightRecorder recorder, std::uint64_t memory_limit,
                const EnvironmentChanges& changes) {
  begin_run_context(std::move(recorder));
  const StandardStreams streams;
  const ChannelGuard guard(channel);
  const py::object resident = make_resident(memory_limit);
  bool is_fresh = true;
  while (auto run = receive_run(channel)) {
    const auto& request = run->request;
    run_context().has_tested = false;
    run_context().recorder.pass(&protocol::Milestones::begun);
    if (Status ready = enter_run(request, run->fds); !ready) {
      run_context().end(protocol::Phase::needs_cold, ready.error().message);
    }
    collect_children();
    run_context().events = EventPipe(std::move(run->fds.at(3)));
    take_attributes(request, std::exchange(is_fresh, false));
    answer_stack_requests(std::move(run->fds.at(4)));
    run->fds.clear();
    const auto [code, is_last] = run_once(resident, request, changes);
    if (is_last || !guard.is_intact()) end_after_runs(code);
    std::fflush(nullptr);
    release_terminal();
    streams.restore();
    run_context().events = EventPipe(Fd());
    protocol::Done done;
    done.id = request.id;
    done.phase = run_context().recorder.phase();
    done.milestones = run_context().recorder.milestones();
    done.exit_code = code;
    (void)channel.send(protocol::to_json(protocol::FromWorker(done)).dump());
    if (!rest(resident)) break;
  }
  own_module("sprintest.run._runner").attr("finish")(py::list());
  end_after_runs(0);
}

}  // namespace stest
