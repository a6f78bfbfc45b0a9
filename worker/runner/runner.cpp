#include "worker/runner/runner.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/os/close_fds.hpp"
#include "common/os/process.hpp"
#include "worker/python/python_values.hpp"
#include "worker/runner/program.hpp"
#include "worker/runner/run_context.hpp"
#include "worker/runner/run_entry.hpp"

namespace py = pybind11;

namespace stest {

namespace {

int run_pytest(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  try {
    become_like_client(request, changes);
    if (!run_context().snapshot) run_context().recorder.set_phase(protocol::Phase::running);
    return own_module("sprintest.run._runner").attr("main")(fs_decode(request.args)).cast<int>();
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

/// The end of a process that has run tests. The kernel takes milliseconds to take down what torch has mapped,
/// and nobody need wait for that: the answer is final and every descriptor closed. Only where something is
/// freed by the end alone (memory of a device, children) is it waited for.
[[noreturn]] void end_run_process(int code) {
  std::fflush(nullptr);
  const bool is_childless = ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
  if (is_childless && !run_context().exit_matters && !run_context().snapshot) {
    close_fds_from(0, nullptr, 0);
    run_context().recorder.set_exit_code(code);
    ::kill(::getppid(), SIGCHLD);  // Where it may not, the zygote learns of it by our end.
    if (const auto& written = run_context().written_pages) written->record();
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
  RunContext& context = begin_run_context(std::move(recorder), std::move(written));
  context.recorder.pass(&protocol::Milestones::begun);
  if (Status ready = enter_run(request, fds); !ready) {
    context.end(protocol::Phase::needs_cold, ready.error().message);
  }
  context.events = EventPipe(std::move(fds.at(3)));
  take_attributes(request, true);
  answer_stack_requests(std::move(fds.at(4)));
  fds.clear();
  end_run_process(request.python ? run_program(request, changes) : run_pytest(request, changes));
}

void prime_in_this_process(LineChannel& channel, Fd inotify, StandIns stand_ins,
                           const protocol::RunTest& request, std::optional<std::uint64_t> likes_cuda_since_ns,
                           std::shared_ptr<WrittenPages> written, FlightRecorder recorder,
                           const EnvironmentChanges& changes) {
  RunContext& context = begin_run_context(std::move(recorder), std::move(written));
  context.snapshot.emplace(channel, std::move(inotify), std::move(stand_ins), request, likes_cuda_since_ns);
  if (Status ready = enter_run(request, context.snapshot->stand_ins()); !ready) {
    context.snapshot->refuse(ready.error().message);
  }
  take_attributes(request, true);
  end_run_process(run_pytest(request, changes));
}

}  // namespace stest
