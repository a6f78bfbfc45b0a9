#include "daemon/run/run_result.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace stest {
namespace {

using protocol::Phase;

RunReport exited(int code, Phase phase, std::string nodeid = "") {
  RunReport report;
  report.done = protocol::Done{1, phase, code, {}, std::move(nodeid), ""};
  return report;
}

RunReport signalled(int signal, Phase phase, std::string nodeid = "") {
  RunReport report;
  report.done = protocol::Done{1, phase, {}, signal, std::move(nodeid), ""};
  return report;
}

RunReport cancelled(RunReport report, CancelHow how, CancelReason reason = CancelReason::client) {
  report.cancelled = how;
  report.cancel_reason = reason;
  return report;
}

void expect(const RunReport& report, int code, Outcome outcome, const std::string& message = "") {
  const auto done = result_of(report);
  EXPECT_EQ(done.exit_code, code) << done.message;
  EXPECT_EQ(done.outcome, outcome) << done.message;
  EXPECT_EQ(done.message, message);
}

TEST(RunResult, PassesPytestsExitCodeThrough) {
  expect(exited(0, Phase::returned), 0, Outcome::passed);
  expect(exited(1, Phase::session_finished), 1, Outcome::failed);
  expect(exited(4, Phase::returned), 4, Outcome::usage_error);
  expect(exited(42, Phase::returned), 42, outcome_of_pytest(42));
}

TEST(RunResult, AProgramEndsAsItWants) {
  const auto of_program = [](RunReport report) {
    report.is_program = true;
    return report;
  };
  expect(of_program(exited(0, Phase::running)), 0, Outcome::passed);
  expect(of_program(exited(112, Phase::running)), 112, Outcome::failed);
  expect(of_program(signalled(SIGSEGV, Phase::running)), 139, Outcome::crashed);
  expect(of_program(cancelled(signalled(SIGKILL, Phase::running), CancelHow::kill)), 137, Outcome::killed);
  EXPECT_TRUE(reason_for_cold(of_program(exited(0, Phase::needs_cold, "why"))));
}

TEST(RunResult, NeverTakesAnEarlyExitForSuccess) {
  expect(
      exited(0, Phase::running, "t.py::a"), 105, Outcome::crashed,
      "the tests' process ended with exit status 0 in the middle of t.py::a, as os._exit(0) does; pytest did "
      "not finish");
  expect(exited(3, Phase::running), 105, Outcome::crashed,
         "the tests' process ended with exit status 3 outside any test (while collecting, or between two "
         "tests), as os._exit(3) does; pytest did not finish");
}

TEST(RunResult, NeverTakesAStartOverForSuccess) {
  auto report = exited(0, Phase::starts_over, "a changed");
  report.has_tested = true;
  expect(report, 104, Outcome::internal_error,
         "the tests' process was given up in the middle of the run: a changed");
  expect(cancelled(exited(0, Phase::starts_over, "a changed"), CancelHow::interrupt), 107, Outcome::cancelled,
         "the run was cancelled before pytest finished");
}

const std::string cold = "no warm process can run these tests: ";

TEST(RunResult, TellsThatOnlyAColdRunCanBeRight) {
  expect(exited(0, Phase::needs_cold, "a.py hides a"), 112, Outcome::internal_error, cold + "a.py hides a");
  expect(exited(0, Phase::starts_over, "a changed"), 112, Outcome::internal_error, cold + "a changed");
  auto late = exited(0, Phase::needs_cold, "a was loaded with another value");
  late.has_tested = true;
  expect(late, 112, Outcome::internal_error, cold + "a was loaded with another value");
}

TEST(RunResult, LosesNoAnswerToAFailureBeforeTheFirstTest) {
  expect(exited(104, Phase::forked), 112, Outcome::internal_error,
         cold + "the tests' process ended with exit status 104 before pytest started");
  expect(signalled(SIGSEGV, Phase::forked), 112, Outcome::internal_error,
         cold + "the tests' process died by SIGSEGV (signal 11) before pytest started");
  RunReport report;
  report.worker_death = ExitStatus{{}, SIGABRT};
  expect(report, 112, Outcome::internal_error,
         cold + "stest's worker died by SIGABRT (signal 6) during the run");
  report.worker_death.reset();
  report.launch_error = "no descriptors";
  expect(report, 112, Outcome::internal_error, cold + "no descriptors");
  EXPECT_EQ(reason_for_cold(cancelled(report, CancelHow::interrupt)), std::nullopt);
}

TEST(RunResult, NamesTheSignalAndTheTest) {
  expect(signalled(SIGSEGV, Phase::running, "t.py::a"), 105, Outcome::crashed,
         "the tests' process died by SIGSEGV (signal 11) while running t.py::a");
  expect(signalled(SIGABRT, Phase::running), 105, Outcome::crashed,
         "the tests' process died by SIGABRT (signal 6) outside any test (while collecting, or between two "
         "tests)");
  expect(signalled(SIGSEGV, Phase::returned), 105, Outcome::crashed,
         "the tests' process died by SIGSEGV (signal 11) after the last test");
  expect(
      signalled(SIGKILL, Phase::running, "t.py::a"), 106, Outcome::killed,
      "the tests' process was killed by SIGKILL while running t.py::a; the usual cause is a lack of memory");
  auto out_of_memory = signalled(SIGKILL, Phase::running, "t.py::a");
  out_of_memory.oom = "the machine ran out of memory";
  expect(
      out_of_memory, 106, Outcome::killed,
      "the tests' process was killed by SIGKILL while running t.py::a; the kernel's OOM killer did it: the "
      "machine ran out of memory");
}

TEST(RunResult, FallsBackToTheTestThatReportedLast) {
  auto report = signalled(SIGSEGV, Phase::running);
  report.nodeid = "t.py::b";
  EXPECT_NE(result_of(report).message.find("while running t.py::b"), std::string::npos);
}

TEST(RunResult, LeavesAnInterruptedRunToPytest) {
  expect(cancelled(exited(2, Phase::returned), CancelHow::interrupt), 2, outcome_of_pytest(2));
  const std::string early = "the run was cancelled before pytest finished";
  expect(cancelled(signalled(SIGINT, Phase::forked), CancelHow::interrupt), 107, Outcome::cancelled, early);
  expect(cancelled(exited(1, Phase::forked), CancelHow::interrupt), 107, Outcome::cancelled, early);
}

TEST(RunResult, SaysCancelledAfterForce) {
  const std::string early = "the run was cancelled before pytest finished";
  expect(cancelled(signalled(SIGTERM, Phase::running), CancelHow::terminate), 107, Outcome::cancelled, early);
  expect(cancelled(signalled(SIGKILL, Phase::running), CancelHow::kill), 107, Outcome::cancelled, early);
  expect(cancelled(signalled(SIGTERM, Phase::running), CancelHow::terminate, CancelReason::stop), 107,
         Outcome::cancelled, "the run was cancelled: stest's daemon was stopped");
}

TEST(RunResult, NamesWhereARunHung) {
  auto report =
      cancelled(signalled(SIGTERM, Phase::running, "t.py::a"), CancelHow::terminate, CancelReason::hung);
  report.silent_s = 300.02;
  expect(
      report, 111, Outcome::hung,
      "the run was silent for 300 s while running t.py::a, longer than hang_timeout allows, and was ended");
}

TEST(RunResult, ListsWhatWasLeftBehind) {
  EXPECT_EQ(describe({{12, 1, "sleep 1000"}}),
            "the tests have left a process running: pid 12 `sleep 1000`; `stest stop` ends it");
  EXPECT_EQ(describe({{12, 1, "a"}, {13, 1, std::string(61, 'x')}}),
            "the tests have left 2 processes running: pid 12 `a`, pid 13 `" + std::string(60, 'x') +
                "…`; `stest stop` ends them");
}

TEST(RunResult, TellsOfTheWorkersDeath) {
  RunReport report;
  report.worker_death = ExitStatus{{}, SIGKILL};
  report.has_tested = true;
  expect(report, 104, Outcome::internal_error, "stest's worker died by SIGKILL (signal 9) during the run");
  report.nodeid = "t.py::a";
  expect(report, 104, Outcome::internal_error,
         "stest's worker died by SIGKILL (signal 9) while running t.py::a");
  report.given_up = "did not answer for 300 s";
  expect(report, 104, Outcome::internal_error,
         "stest's worker did not answer for 300 s and was killed while running t.py::a");
  expect(cancelled(report, CancelHow::kill), 107, Outcome::cancelled,
         "the run was cancelled before pytest finished");
}

TEST(RunResult, TellsWhyARunnerCouldNotStart) {
  RunReport report;
  report.done = protocol::Done{};
  report.done->error = "no memory";
  expect(report, 112, Outcome::internal_error,
         cold + "stest's worker could not start the tests' process: no memory");
}

using Stages = std::vector<Timings::Stage>;

/// From 100 on, of a process that ended at 200.
Stages stages_of(const protocol::Milestones& milestones) {
  Timings timings{100};
  end_stages(timings, milestones, 200);
  return timings.stages;
}

TEST(RunResult, CutsTheProcessAtItsMilestones) {
  EXPECT_EQ(stages_of({110, 130, 160, 195}),
            (Stages{{"fork", 10}, {"configuration", 20}, {"collection", 30}, {"tests", 35}}));
}

TEST(RunResult, CountsNoTimeBeforeTheRun) {
  EXPECT_EQ(stages_of({10, 20, 30, 150}),
            (Stages{{"fork", 0}, {"configuration", 0}, {"collection", 0}, {"tests", 50}}));
}

TEST(RunResult, GivesTheRestToTheStageInWhichTheProcessEnded) {
  EXPECT_EQ(stages_of({110, 130, 160, 0}),
            (Stages{{"fork", 10}, {"configuration", 20}, {"collection", 30}, {"tests", 40}}));
  EXPECT_EQ(stages_of({110, 130, 0, 0}),
            (Stages{{"fork", 10}, {"configuration", 20}, {"collection", 70}, {"tests", 0}}));
  EXPECT_EQ(stages_of({10, 20, 30, 0}),
            (Stages{{"fork", 0}, {"configuration", 0}, {"collection", 0}, {"tests", 100}}));
}

TEST(RunResult, GivesTheTimeOfAPointThatWasSkippedToTheNextOne) {
  EXPECT_EQ(stages_of({110, 130, 0, 195}),
            (Stages{{"fork", 10}, {"configuration", 20}, {"collection", 0}, {"tests", 65}}));
}

}  // namespace
}  // namespace stest
