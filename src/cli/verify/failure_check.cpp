#include "cli/verify/failure_check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/run/output.hpp"
#include "cli/verify/run_with_report.hpp"
#include "common/json/json_fields.hpp"

namespace stest {
namespace {

using Lines = std::vector<std::string>;

constexpr auto how_to_report =
    "please report it with the lines above. `stest verify` compares again; `stest run --cold` does not use "
    "the daemon";

/// One check, from the first cold run to the final result.
class FailureCheck {
 public:
  FailureCheck(const WarmResult& warm, const RunOptions& options, const Project& project,
               const ScratchFolder& folder, Console& console)
      : done_(warm.done),
        options_(options),
        project_(project),
        folder_(folder),
        console_(console),
        warm_(report_of(warm.tests)) {
    warm_.ending = ending_of(warm.done);
  }

  Result<event::Done> execute() {
    const auto failed = failed_tests();
    bool fail_only_together = false;
    if (!failed.empty()) {
      const auto again = run(failed);
      if (!again) return tl::unexpected(again.error());
      if (again->result.cancelled) return cancelled(again->result);
      if (again->report.is_whole) return conclude(*again, "");
      if (all_failed(failed, again->report)) return confirm(failed.size());
      fail_only_together = true;
      note("not all failed tests fail again in a cold run of these tests alone; running everything cold");
    }
    const auto whole = run(std::nullopt);
    if (!whole) return tl::unexpected(whole.error());
    if (whole->result.cancelled) return cancelled(whole->result);
    return conclude(*whole, fail_only_together ? "; some tests fail only together with others" : "");
  }

 private:
  /// Includes tests during which the process died. Empty if something other than a test failed.
  Lines failed_tests() const {
    Lines failed;
    for (const auto& [nodeid, reports] : warm_.tests) {
      if (has_failed(reports)) failed.push_back(nodeid);
    }
    return failed;
  }

  static bool all_failed(const Lines& nodeids, const TestReport& report) {
    return std::all_of(nodeids.begin(), nodeids.end(), [&](const auto& nodeid) {
      const auto found = report.tests.find(nodeid);
      return found != report.tests.end() && has_failed(found->second);
    });
  }

  Result<ColdRunWithReport> run(const std::optional<Lines>& only) {
    if (!options_.events) console_.show_briefly("checking the failures in a cold process…");
    restore_cache(folder_);
    auto again = run_cold_with_report(options_.pytest_args, project_, folder_, only);
    if (!again) return again;
    duration_s_ += again->result.duration_s;
    if (!again->has_report && !has_died(again->report)) return plugin_missing(again->result, console_);
    return again;
  }

  /// All failed tests have failed again.
  event::Done confirm(std::size_t count) {
    note("verified: " + (count == 1 ? "the failure is" : "the " + std::to_string(count) + " failures are") +
         " the same in a cold process (" + seconds_text(duration_s_) + ")");
    print_verified({});
    return done_;
  }

  event::Done conclude(const ColdRunWithReport& whole, const std::string& remark) {
    const auto lines = differences_in_tests(warm_, whole.report);
    if (!lines.empty()) return diverge(whole, lines);
    note("verified: the same in a cold run of everything" + remark + " (" + seconds_text(duration_s_) + ")");
    print_verified({});
    return done_;
  }

  event::Done diverge(const ColdRunWithReport& whole, const Lines& lines) {
    show(whole.result);
    print_verified(lines);
    if (!options_.events) {
      console_.say("a cold run of everything differs, and its report counts:", Console::Tone::error);
      for (const auto& line : lines) console_.write(Stream::err, "  " + line + "\n");
      console_.say(Error{ErrorCode::internal,
                         "this is stest's own fault, unless the tests differ from run to run",
                         how_to_report});
    }
    return done_of(whole);
  }

  event::Done done_of(const ColdRunWithReport& whole) const {
    auto done = done_;
    const bool is_death = has_died(whole.report);
    done.exit_code = is_death ? static_cast<int>(ExitCode::crashed) : *whole.result.status.code;
    done.outcome = is_death ? Outcome::crashed : outcome_of_pytest(done.exit_code);
    done.message = is_death ? "the cold process " + whole.report.ending : "";
    done.hint.clear();
    return done;
  }

  event::Done cancelled(const ColdResult& result) {
    note("the check of the failures was cancelled");
    auto done = done_;
    done.exit_code = static_cast<int>(exit_code_of_cancelled(result.status.code.value_or(0)));
    done.outcome = Outcome::cancelled;
    done.message = "the check of the failures was cancelled";
    return done;
  }

  void show(const ColdResult& result) {
    if (!options_.events) {
      show_output(result, console_);
      return;
    }
    print_event(event::Output{Stream::out, result.out}, console_);
    if (!result.err.empty()) print_event(event::Output{Stream::err, result.err}, console_);
  }

  void note(const std::string& line) {
    if (!options_.events && !is_very_quiet(options_.pytest_args)) console_.say(line);
  }

  /// This event comes from the client, so it is not one of the daemon's events.
  void print_verified(const Lines& lines) {
    if (!options_.events) return;
    const nlohmann::json event = {{"event", "verified"},
                                  {"agrees", lines.empty()},
                                  {"differences", list_to_json(lines)},
                                  {"duration_s", duration_s_}};
    console_.write(Stream::out, event.dump() + "\n");
  }

  const event::Done& done_;
  const RunOptions& options_;
  const Project& project_;
  const ScratchFolder& folder_;
  Console& console_;
  TestReport warm_;
  double duration_s_ = 0;
};

}  // namespace

bool wants_check(const WarmResult& warm, const Project& project, Console& console) {
  const auto& done = warm.done;
  const auto code = static_cast<ExitCode>(done.exit_code);
  const bool has_failed =
      done.outcome == Outcome::failed && (code == ExitCode::tests_failed || code == ExitCode::interrupted);
  if (warm.cancelled || warm.interactive || !(has_failed || done.outcome == Outcome::crashed)) return false;
  const auto config = load_config(project.paths.root, project.env);
  if (!config) console.say(config.error());
  return config && config->verify_failures;
}

event::Done check_failures(const WarmResult& warm, const RunOptions& options, const Project& project,
                           Console& console) {
  const auto folder = ScratchFolder::create();
  const auto done = folder ? FailureCheck(warm, options, project, *folder, console).execute()
                           : Result<event::Done>(tl::unexpected(folder.error()));
  if (done) return *done;
  console.say(done.error());
  return warm.done;
}

}  // namespace stest
