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

/// What is known of a run once it is over. Either `done` or `worker_death` is set, or `launch_error`.
struct RunReport {
  std::optional<protocol::Done> done;
  std::optional<ExitStatus> worker_death;
  std::string launch_error;        ///< Why the run could not be handed to the worker.
  std::string nodeid;              ///< The test that ran last, where the worker cannot tell.
  std::string given_up;            ///< Why the daemon killed the worker, to follow "it"; else empty.
  bool has_tested = false;         ///< A test has begun.
  bool may_be_repeated = false;    ///< The worker was given up, and the run had not begun.
  std::optional<std::string> oom;  ///< What speaks for an OOM kill; see `OomWatch`.
  std::optional<CancelHow> cancelled;
  std::optional<CancelReason> cancel_reason;
  double silent_s = 0;  ///< How long the run was silent that was ended for it.
  std::vector<protocol::Done::Left> left;
  Observations observations;
  std::optional<event::Unfinished> unfinished;  ///< Where pytest did not come to its end.
};

/// The test that ran last, by the worker's word where it has one.
const std::string& last_test(const RunReport& report);

/// Whether pytest ran, and its process ended before it did.
bool is_unfinished(const RunReport& report);

/// The result that the client gets; `duration_s` is left to the caller. Exit code 0 only if pytest
/// itself returned it.
event::Done result_of(const RunReport& report);

/// Why only a fresh process can answer the run: stest has failed before any test began, or its process has
/// found, at whatever time, that it cannot be right; nothing if neither is so.
std::optional<std::string> reason_for_cold(const RunReport& report);
/// The result of such a run.
event::Done cold_result(const std::string& reason);

/// The result of a run that an error prevented.
event::Done failed_result(const Error& error);

/// The result of a run that was cancelled before its tests' process existed.
event::Done cancelled_result(std::optional<CancelReason> reason);

/// Ends the stages of the tests' process, which ended at `end_ns`. A point that it passed while it was
/// getting ready for a run to come counts as passed when the run began. One that it did not reach, it was
/// under way to.
void end_stages(Timings& timings, const protocol::Milestones& milestones, std::uint64_t end_ns);

/// What the client is told of processes that a run has left behind: "the tests have left 2 processes …".
std::string describe(const std::vector<protocol::Done::Left>& left);

/// "300 s"; "0.5 s".
std::string seconds_text(std::chrono::milliseconds time);

/// "the kernel's OOM killer did it: …"
std::string oom_text(const std::string& evidence);

/// "died by SIGSEGV (signal 11)", "ended with exit status 3".
std::string describe(const ExitStatus& status);

}  // namespace stest
