#include "cli/run/run.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/cancel.hpp"
#include "cli/run/cold_run.hpp"
#include "cli/run/timings_text.hpp"
#include "cli/run/warm_run.hpp"
#include "cli/verify/failure_check.hpp"
#include "common/history/run_record.hpp"

namespace stest {
namespace {

int end_with(const Error& error, Console& console) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

/// Whether a cold run can answer: no test has run, and the error is not the user's mistake or wish.
bool can_run_cold(const NoResult& none) {
  constexpr std::array<ErrorCode, 4> answers{ErrorCode::usage, ErrorCode::config, ErrorCode::cancelled,
                                             ErrorCode::busy};
  return !none.has_begun && std::find(answers.begin(), answers.end(), none.error.code) == answers.end();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool needs_cold(const event::Done& done) { return done.exit_code == static_cast<int>(ExitCode::needs_cold); }

void show(const Timings& timings, Console& console) {
  console.say("where the time went, in ms:");
  console.write(Stream::err, timings_text(timings));
}

void print_report(const WarmResult& warm, const event::Done& done, const RunOptions& options,
                  const Project& project, Console& console) {
  const auto seconds = static_cast<std::int64_t>(done.duration_s);
  RunRecord record(options.pytest_args, project.cwd.string(), std::time(nullptr) - seconds);
  for (const auto& notice : warm.notices) record.take(event::Notice{notice});
  for (const auto& test : warm.tests) record.take(test);
  record.take(done);
  console.write(Stream::out,
                record.report().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

/// The caller has said why.
Error run_cold_instead(const RunOptions& options) {
  ::signal(SIGPIPE, SIG_DFL);
  return become_cold_run(options.pytest_args);
}

int end_without_daemon(const NoResult& none, const RunOptions& options, Console& console) {
  if (options.events || !can_run_cold(none)) return end_with(none.error, console);
  console.say("running `python -m pytest` instead: " + first_line(none.error.message) +
              "; `stest doctor` says more");
  return end_with(run_cold_instead(options), console);
}

}  // namespace

int run_tests(const RunOptions& options, Console& console) {
  const auto why = options.events ? std::nullopt : needs_fresh_process(current_attributes());
  if (why) {
    console.say(*why + ": ran cold");
    return end_with(run_cold_instead(options), console);
  }
  const auto project = current_project();
  if (!project) return end_with(project.error(), console);
  const auto warm = run_warm(options, *project, console);
  if (!warm) return end_without_daemon(warm.error(), options, console);
  if (needs_cold(warm->done) && !options.events) return end_with(run_cold_instead(options), console);
  auto done = warm->done;
  auto timings = warm->timings;
  timings.end_stage("transfer", monotonic_ns());
  if (wants_check(*warm, *project, console)) {
    done = check_failures(*warm, options, *project, console);
    timings.end_stage("cold check", monotonic_ns());
  }
  if (options.timings) show(timings, console);
  if (options.report == Report::json)
    print_report(*warm, done, options, *project, console);
  else if (options.events && !print_event(done, console))
    return static_cast<int>(ExitCode::tests_failed);
  if (warm->ended_by) leave_by_signal(*warm->ended_by);
  return done.exit_code;
}

}  // namespace stest
