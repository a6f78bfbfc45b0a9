#include "worker/runner/run_context.hpp"

#include <pybind11/embed.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "worker/runner/stack_request.hpp"

namespace py = pybind11;

namespace stest {

namespace {

std::optional<RunContext> context;

}  // namespace

RunContext& run_context() { return *context; }

RunContext& begin_run_context(FlightRecorder recorder, std::shared_ptr<WrittenPages> written_pages) {
  recorder.claim();
  context.emplace(RunContext{std::move(recorder), EventPipe(Fd())});
  context->written_pages = std::move(written_pages);
  return *context;
}

void RunContext::tell(nlohmann::json event) {
  if (snapshot) {
    early_events.push_back(std::move(event));
  } else {
    events.write(event);
  }
}

void RunContext::end(protocol::Phase phase, const std::string& reason) {
  recorder.set_nodeid(reason);
  recorder.set_phase(phase);
  ::_exit(0);
}

void RunContext::give_up(const std::string& reason) {
  if (snapshot) snapshot->refuse(reason);
  end(protocol::Phase::needs_cold, reason);
}

void RunContext::require_request() {
  if (snapshot) snapshot->refuse("it would run tests before they were asked for");
}

void RunContext::begin_requested_run(std::vector<Fd> fds) {
  snapshot.reset();
  events = EventPipe(std::move(fds.at(0)));
  for (const auto& event : std::exchange(early_events, {})) events.write(event);
  answer_stack_requests(std::move(fds.at(1)));
  recorder.set_phase(protocol::Phase::running);
  recorder.pass(&protocol::Milestones::begun);
}

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

}  // namespace stest
