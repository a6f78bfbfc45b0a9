#include "cli/verify/verify.hpp"

#include "cli/run/warm_run.hpp"
#include "cli/verify/run_with_report.hpp"

namespace stest {
namespace {

/// Whether pytest did not run, because of the daemon, the worker or the configuration.
bool could_not_run(const event::Done& done) {
  const bool has_died = done.outcome == Outcome::crashed || done.outcome == Outcome::killed;
  return !done.message.empty() && !has_died;
}

struct Warm {
  WarmResult result;
  std::optional<TestReport> report;
};

Result<Warm> run_warm_with_report(const Options& options, const Project& project, const ScratchFolder& folder,
                                  Console& console) {
  const auto file = folder.path() / "warm.jsonl";
  RunOptions with_plugin;
  with_plugin.detached = true;
  with_plugin.pytest_args = with_report_plugin(options.run.pytest_args);
  auto result = run_warm(with_plugin, with_report_file(project, file), console, [&] { folder.remove(); });
  if (!result) return tl::unexpected(result.error().error);
  auto report = read_report(file);
  if (!report) return tl::unexpected(report.error());
  if (*report) (*report)->ending = ending_of(result->done);
  return Warm{std::move(*result), std::move(*report)};
}

void report_agreement(const TestReport& report, const std::string& times, Console& console) {
  const auto ending = report.ending == "exit code 0" ? "" : "; both " + report.ending;
  console.say("warm and cold agree: " + summary(report) + ending + " (" + times + ")");
}

void report_differences(const std::vector<std::string>& lines, const ColdResult& cold,
                        const std::string& times, Console& console) {
  console.say("warm and cold differ; the cold run's output:", Console::Tone::error);
  show_output(cold, console);
  const auto count = std::to_string(lines.size()) + (lines.size() == 1 ? " difference" : " differences");
  console.say(count + " between warm and cold (" + times + "):", Console::Tone::error);
  std::string text;
  for (const auto& line : lines) text += "  " + line + "\n";
  console.write(Stream::err, text);
}

}  // namespace

Result<ExitCode> verify(const Options& options, const Project& project, Console& console) {
  if (auto has_plugin = check_plugin(project); !has_plugin) return tl::unexpected(has_plugin.error());
  const auto folder = ScratchFolder::create();
  if (!folder) return tl::unexpected(folder.error());
  const auto warm = run_warm_with_report(options, project, *folder, console);
  if (!warm) return tl::unexpected(warm.error());
  const auto& done = warm->result.done;
  if (warm->result.cancelled) return exit_code_of_cancelled(done.exit_code);
  if (could_not_run(done)) return static_cast<ExitCode>(done.exit_code);

  console.show_briefly("running the same tests cold…");
  const auto cold = run_cold_with_report(options.run.pytest_args, project, *folder);
  if (!cold) return tl::unexpected(cold.error());
  if (cold->result.cancelled) return exit_code_of_cancelled(cold->result.status.code.value_or(0));
  if (warm->report && !cold->has_report && !has_died(cold->report)) {
    return plugin_missing(cold->result, console);
  }

  TestReport nothing;
  nothing.ending = ending_of(done);
  const auto lines = differences(warm->report.value_or(nothing), cold->report);
  const auto times =
      "warm " + seconds_text(done.duration_s) + ", cold " + seconds_text(cold->result.duration_s);
  if (lines.empty()) {
    report_agreement(cold->report, times, console);
    return ExitCode::ok;
  }
  report_differences(lines, cold->result, times, console);
  return ExitCode::diverged;
}

}  // namespace stest
