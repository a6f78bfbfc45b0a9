#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/os/process.hpp"
#include "daemon/run/event_lines.hpp"
#include "daemon/run/run_control.hpp"
#include "stest/messages.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What is known about a run that has ended. `done`, `worker_death` or `launch_error` is set.
struct RunReport {
  std::optional<protocol::Done> done;
  std::optional<ExitStatus> worker_death;
  std::string launch_error;        ///< Why the run could not be sent to the worker.
  std::string nodeid;              ///< The test that ran last, by the events.
  std::string given_up;            ///< Why the daemon killed the worker, to follow "it"; else empty.
  bool is_program = false;         ///< It ran a program, and not pytest.
  bool has_tested = false;         ///< A test has begun.
  bool may_be_repeated = false;    ///< The daemon killed the worker before the run had begun.
  std::optional<std::string> oom;  ///< The evidence for an OOM kill; see `OomWatch`.
  std::optional<CancelHow> cancelled;
  std::optional<CancelReason> cancel_reason;
  double silent_s = 0;  ///< How long a hung run was silent.
  std::vector<protocol::Done::Left> left;
  Observations observations;
  std::optional<event::Unfinished> unfinished;  ///< Set if the process ended before pytest did.
};

/// The test that ran last, as the worker reports it, else by the events.
const std::string& last_test(const RunReport& report);

/// Whether the process ended before pytest did.
bool is_unfinished(const RunReport& report);

/// The result for the client; the caller sets `duration_s`. The exit code is 0 only if pytest has returned 0.
event::Done result_of(const RunReport& report);

/// Why only a cold run can be right: stest has failed before any test began, or the process has reported at
/// any time that it needs cold. Otherwise nothing.
std::optional<std::string> reason_for_cold(const RunReport& report);
/// The result of a run that needs cold.
event::Done cold_result(const std::string& reason);

/// The result of a run that an error prevented.
event::Done failed_result(const Error& error);

/// The result of a run that was cancelled before its tests' process existed.
event::Done cancelled_result(std::optional<CancelReason> reason);

/// Ends the stages of the tests' process, which ended at `end_ns`. A milestone that it passed ahead of the
/// request counts as passed when the run began. If it did not reach a milestone, the rest of the time belongs
/// to that stage.
void end_stages(Timings& timings, const protocol::Milestones& milestones, std::uint64_t end_ns);

/// The notice about processes that a run has left behind: "the tests have left 2 processes …".
std::string describe(const std::vector<protocol::Done::Left>& left);

/// "300 s"; "0.5 s".
std::string seconds_text(std::chrono::milliseconds time);

/// "the kernel's OOM killer did it: …"
std::string oom_text(const std::string& evidence);

/// "died by SIGSEGV (signal 11)", "ended with exit status 3".
std::string describe(const ExitStatus& status);

}  // namespace stest
