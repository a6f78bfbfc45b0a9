#include "cli/verify/verify.hpp"

#include "cli/run/warm_run.hpp"
#include "cli/verify/judged_run.hpp"

namespace stest {
namespace {

/// Whether pytest had no chance: the daemon, the worker or the configuration stood in the way.
bool could_not_run(const event::Done& done) {
  const bool has_died = done.outcome == Outcome::crashed || done.outcome == Outcome::killed;
  return !done.message.empty() && !has_died;
}

struct Warm {
  WarmResult result;
  std::optional<Verdict> verdict;
};

Result<Warm> run_warm_judged(const Options& options, const Project& project, const ScratchFolder& folder,
                             Console& console) {
  const auto file = folder.path() / "warm.jsonl";
  RunOptions with_plugin;
  with_plugin.detached = true;
  with_plugin.pytest_args = with_verdict_plugin(options.run.pytest_args);
  auto result = run_warm(with_plugin, with_verdict_file(project, file), console, [&] { folder.remove(); });
  if (!result) return tl::unexpected(result.error().error);
  auto verdict = read_verdict(file);
  if (!verdict) return tl::unexpected(verdict.error());
  if (*verdict) (*verdict)->ending = ending_of(result->done);
  return Warm{std::move(*result), std::move(*verdict)};
}

void report_agreement(const Verdict& verdict, const std::string& times, Console& console) {
  const auto ending = verdict.ending == "exit code 0" ? "" : "; both " + verdict.ending;
  console.say("warm and cold agree: " + summary(verdict) + ending + " (" + times + ")");
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
  const auto folder = ScratchFolder::create();
  if (!folder) return tl::unexpected(folder.error());
  const auto warm = run_warm_judged(options, project, *folder, console);
  if (!warm) return tl::unexpected(warm.error());
  const auto& done = warm->result.done;
  if (warm->result.cancelled) return exit_code_of_cancelled(done.exit_code);
  if (could_not_run(done)) return static_cast<ExitCode>(done.exit_code);

  console.show_briefly("running the same cold…");
  const auto cold = run_cold_judged(options.run.pytest_args, project, *folder);
  if (!cold) return tl::unexpected(cold.error());
  if (cold->result.cancelled) return exit_code_of_cancelled(cold->result.status.code.value_or(0));
  if (warm->verdict && !cold->has_verdict && !has_died(cold->verdict)) {
    return plugin_missing(cold->result, console);
  }

  Verdict nothing;
  nothing.ending = ending_of(done);
  const auto lines = differences(warm->verdict.value_or(nothing), cold->verdict);
  const auto times =
      "warm " + seconds_text(done.duration_s) + ", cold " + seconds_text(cold->result.duration_s);
  if (lines.empty()) {
    report_agreement(cold->verdict, times, console);
    return ExitCode::ok;
  }
  report_differences(lines, cold->result, times, console);
  return ExitCode::diverged;
}

}  // namespace stest
