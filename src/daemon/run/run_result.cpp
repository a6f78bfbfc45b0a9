#include "daemon/run/run_result.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <utility>

namespace stest {

namespace {

using protocol::Phase;

event::Done result(ExitCode code, Outcome outcome, std::string message, std::string hint = {}) {
  event::Done done;
  done.exit_code = static_cast<int>(code);
  done.outcome = outcome;
  done.message = std::move(message);
  done.hint = std::move(hint);
  return done;
}

/// How far the tests' process was, as text that follows a verb.
std::string place(Phase phase, const std::string& nodeid) {
  if (!nodeid.empty()) return "while running " + nodeid;
  switch (phase) {
    case Phase::forked:
      return "before pytest started";
    case Phase::running:
      return "outside any test (while collecting, or between two tests)";
    case Phase::session_finished:
    case Phase::returned:
    case Phase::starts_over:
    case Phase::needs_cold:
      break;
  }
  return "after the last test";
}

event::Done killed(const std::string& where, const std::optional<std::string>& oom) {
  auto message = "the tests' process was killed by SIGKILL " + where;
  if (oom) {
    return result(ExitCode::killed, Outcome::killed, message + "; " + oom_text(*oom),
                  "Make the tests use less memory, or raise the limit.");
  }
  return result(ExitCode::killed, Outcome::killed, message + "; the usual cause is a lack of memory",
                "The kernel's log names the process if memory ran out: dmesg | grep -i oom");
}

event::Done died_by_signal(int signal, Phase phase, const std::string& nodeid,
                           const std::optional<std::string>& oom) {
  if (signal == SIGKILL) return killed(place(phase, nodeid), oom);
  return result(
      ExitCode::crashed, Outcome::crashed,
      "the tests' process " + describe({.code = {}, .signal = signal}) + " " + place(phase, nodeid));
}

event::Done exited_early(int code, Phase phase, const std::string& nodeid) {
  const auto where = nodeid.empty() ? place(phase, nodeid) : "in the middle of " + nodeid;
  return result(ExitCode::crashed, Outcome::crashed,
                "the tests' process ended with exit status " + std::to_string(code) + " " + where +
                    ", as os._exit(" + std::to_string(code) + ") does; pytest did not finish");
}

std::string how_worker_died(const RunReport& report) {
  auto text = report.given_up.empty() ? describe(*report.worker_death) : report.given_up + " and was killed";
  text += report.nodeid.empty() ? std::string(" during the run") : " while running " + report.nodeid;
  if (report.oom && report.given_up.empty()) text += "; " + oom_text(*report.oom);
  return "stest's worker " + text;
}

event::Done worker_died(const RunReport& report) {
  return result(ExitCode::worker_failed, Outcome::internal_error, how_worker_died(report),
                "The next run starts a new worker. `stest logs` shows what the last one wrote.");
}

/// Whether the process gave the run up because it cannot give a right answer.
bool gave_up(Phase phase) { return phase == Phase::starts_over || phase == Phase::needs_cold; }

/// Whether the cancel ended the process, and not the tests.
bool ended_by_cancel(const RunReport& report) {
  if (!report.cancelled) return false;
  if (*report.cancelled != CancelHow::interrupt || report.cancel_reason != CancelReason::client) return true;
  // Ctrl-C: if pytest has still returned, its exit code counts.
  return !report.done || report.done->signal || report.done->phase < Phase::session_finished ||
         gave_up(report.done->phase);
}

event::Done cancelled(std::optional<CancelReason> reason, const std::string& when) {
  return result(
      ExitCode::cancelled, Outcome::cancelled,
      "the run was cancelled" + (reason == CancelReason::stop ? ": stest's daemon was stopped" : " " + when));
}

event::Done hung(const RunReport& report, const std::string& nodeid) {
  std::array<char, 32> silent{};
  std::snprintf(silent.data(), silent.size(), "%.3g s", report.silent_s);
  const auto phase = report.done ? report.done->phase : Phase::running;
  return result(ExitCode::hung, Outcome::hung,
                std::string("the run was silent for ") + silent.data() + " " + place(phase, nodeid) +
                    ", longer than hang_timeout allows, and was ended");
}

event::Done result_of_process(const protocol::Done& done, const std::string& nodeid,
                              const std::optional<std::string>& oom) {
  if (!done.error.empty() || gave_up(done.phase)) {
    return result(ExitCode::worker_failed, Outcome::internal_error,
                  "the tests' process was given up in the middle of the run: " +
                      (done.error.empty() ? nodeid : done.error),
                  "The next run starts a new one. `stest logs` shows what the worker wrote.");
  }
  if (done.signal) return died_by_signal(*done.signal, done.phase, nodeid, oom);
  const int code = done.exit_code.value_or(static_cast<int>(ExitCode::internal_error));
  if (done.phase < Phase::session_finished) return exited_early(code, done.phase, nodeid);
  return result(static_cast<ExitCode>(code), outcome_of_pytest(code), "");
}

/// The failure of stest's code in a run in which no test has begun; empty if there is none.
std::string failure_of(const RunReport& report) {
  if (!report.done) return report.worker_death ? how_worker_died(report) : report.launch_error;
  const auto& done = *report.done;
  if (!done.error.empty()) return "stest's worker could not start the tests' process: " + done.error;
  if (gave_up(done.phase)) return done.nodeid;
  if (done.phase != Phase::forked) return "";
  return "the tests' process " + describe(ExitStatus{done.exit_code, done.signal}) + " before pytest started";
}

/// However a program ends, the client ends in the same way: by a signal if the exit code is above 128 and the
/// outcome says so.
event::Done result_of_program(const protocol::Done& done) {
  if (done.signal) {
    const auto outcome = *done.signal == SIGKILL ? Outcome::killed : Outcome::crashed;
    return result(static_cast<ExitCode>(128 + *done.signal), outcome, "");
  }
  const int code = done.exit_code.value_or(0);
  return result(static_cast<ExitCode>(code), code == 0 ? Outcome::passed : Outcome::failed, "");
}

bool has_program_ended(const RunReport& report) {
  return report.is_program && report.done && report.done->error.empty() && !gave_up(report.done->phase) &&
         report.done->phase != Phase::forked;
}

event::Done ending_of(const RunReport& report) {
  if (has_program_ended(report)) return result_of_program(*report.done);
  const auto& nodeid = last_test(report);
  if (report.cancel_reason == CancelReason::hung) return hung(report, nodeid);
  if (ended_by_cancel(report)) return cancelled(report.cancel_reason, "before pytest finished");
  if (const auto reason = reason_for_cold(report)) return cold_result(*reason);
  if (!report.done) return worker_died(report);
  return result_of_process(*report.done, nodeid, report.oom);
}

}  // namespace

std::optional<std::string> reason_for_cold(const RunReport& report) {
  const bool is_ended = report.cancel_reason == CancelReason::hung || ended_by_cancel(report);
  const bool must_be_cold = report.done && report.done->phase == protocol::Phase::needs_cold;
  if (is_ended || (report.has_tested && !must_be_cold)) return std::nullopt;
  auto failure = failure_of(report);
  return failure.empty() ? std::nullopt : std::optional(std::move(failure));
}

event::Done cold_result(const std::string& reason) {
  return result(ExitCode::needs_cold, Outcome::internal_error,
                "no warm process can run these tests: " + reason,
                "`stest run --cold` runs them in a fresh process; plain `stest` does so automatically.");
}

std::string seconds_text(std::chrono::milliseconds time) {
  std::ostringstream text;
  text << std::chrono::duration<double>(time).count() << " s";
  return text.str();
}

std::string oom_text(const std::string& evidence) { return "the kernel's OOM killer did it: " + evidence; }

std::string describe(const ExitStatus& status) {
  if (status.signal) {
    return "died by " + signal_name(*status.signal) + " (signal " + std::to_string(*status.signal) + ")";
  }
  if (status.code) return "ended with exit status " + std::to_string(*status.code);
  return "ended";
}

std::string describe(const std::vector<protocol::Done::Left>& left) {
  constexpr std::size_t longest = 60;
  std::string list;
  for (const auto& process : left) {
    auto command = process.command.substr(0, longest);
    if (process.command.size() > longest) command += "…";
    list += (list.empty() ? "pid " : ", pid ") + std::to_string(process.pid) + " `" + command + "`";
  }
  const bool one = left.size() == 1;
  return "the tests have left " +
         std::string(one ? "a process" : std::to_string(left.size()) + " processes") + " running: " + list +
         "; `stest stop` ends " + (one ? "it" : "them");
}

event::Done cancelled_result(std::optional<CancelReason> reason) {
  return cancelled(reason, "before its tests began");
}

event::Done failed_result(const Error& error) {
  return result(exit_code(error.code), Outcome::internal_error, error.message, error.hint);
}

void end_stages(Timings& timings, const protocol::Milestones& milestones, std::uint64_t end_ns) {
  const std::array<std::pair<std::string_view, std::uint64_t>, 4> stages{
      {{"fork", milestones.begun},
       {"configuration", milestones.configured},
       {"collection", milestones.collected},
       {"tests", milestones.tested}}};
  const auto last =
      std::max({milestones.begun, milestones.configured, milestones.collected, milestones.tested});
  for (const auto& [name, passed] : stages) {
    timings.end_stage(name, passed != 0 || timings.end_ns() < last ? passed : end_ns);
  }
}

const std::string& last_test(const RunReport& report) {
  return report.done && !report.done->nodeid.empty() ? report.done->nodeid : report.nodeid;
}

bool is_unfinished(const RunReport& report) {
  if (report.is_program) return false;
  if (!report.done) return report.worker_death.has_value();
  return report.done->error.empty() && report.done->phase < Phase::session_finished;
}

event::Done result_of(const RunReport& report) {
  auto done = ending_of(report);
  done.unfinished = report.unfinished;
  return done;
}

}  // namespace stest
