#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/protocol.hpp"
#include "worker/runner/event_pipe.hpp"
#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/snapshot.hpp"
#include "worker/snapshot/written_pages.hpp"

namespace stest {

/// The run that this process executes, or is ahead of.
struct RunContext {
  FlightRecorder recorder;
  EventPipe events;                                  ///< None before the request has come.
  std::optional<Snapshot> snapshot = {};             ///< While the process is ahead of its request.
  std::shared_ptr<WrittenPages> written_pages = {};  ///< Where these are recorded at the end; may be null.
  std::vector<nlohmann::json> early_events = {};     ///< From before the request.
  std::vector<std::string> gpus = {};                ///< For the workers of pytest-xdist.
  bool exit_matters = false;                         ///< The client waits for the end of the process.
  bool has_tested = false;                           ///< A test has begun.

  /// Writes an event on the event pipe, or keeps it until the request has come.
  void tell(nlohmann::json event);
  /// Ends this process. The run may be right in another fork (`starts_over`), or only in a process that has
  /// loaded nothing (`needs_cold`).
  [[noreturn]] void end(protocol::Phase phase, const std::string& reason);
  /// Ends this process; plain pytest does the run. Errors of stest's own code before a test has begun lead
  /// here, so that they cost no answer.
  [[noreturn]] void give_up(const std::string& reason);
  /// Ends this process if its request has not come. It is called wherever pytest begins to run tests.
  void require_request();
  /// The request has come; `fds` are the event pipe and the stack pipe.
  void begin_requested_run(std::vector<Fd> fds);
};

/// The context of this process. Functions that Python calls have no other way to it.
RunContext& run_context();
/// Makes it, once per process.
RunContext& begin_run_context(FlightRecorder recorder, std::shared_ptr<WrittenPages> written_pages = nullptr);

/// Makes `faulthandler` write the stacks of all threads on `fd` when the daemon asks. It needs no interpreter
/// lock, so it works while a thread is blocked in C code.
void answer_stack_requests(Fd fd);

}  // namespace stest
