#include "cli/verify/verify.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/verify/advice.hpp"
#include "cli/verify/run_with_report.hpp"
#include "cli/verify/times_text.hpp"
#include "cli/verify/warm_runs.hpp"

namespace stest {
namespace {

using Lines = std::vector<std::string>;

Lines differences_between(const WarmRunWithReport& warm, const ColdRunWithReport& cold) {
  TestReport nothing;
  nothing.ending = ending_of(warm.result.done);
  return differences(warm.report.value_or(nothing), cold.report);
}

/// Whether the tests ran. Otherwise the time says nothing about other runs.
bool has_run_tests(const event::Done& done) {
  return done.outcome == Outcome::passed || done.exit_code == static_cast<int>(ExitCode::tests_failed);
}

std::chrono::seconds patience_after(const ColdRunWithReport& cold) {
  return std::chrono::seconds(10 + static_cast<int>(2 * cold.result.duration_s));
}

/// Whether the tests may use a GPU.
bool may_use_gpu(const nlohmann::json& worker) {
  if (!worker.is_object() || !std::filesystem::exists("/dev/nvidiactl")) return false;
  const auto& loaded = worker.value("preloaded", nlohmann::json::array());
  return std::any_of(loaded.begin(), loaded.end(),
                     [](const auto& module) { return module.value("module", "") == "torch"; });
}

/// One `stest verify`.
class Verification {
 public:
  Verification(const std::vector<std::string>& pytest_args, const Project& project, const Config& config,
               const ScratchFolder& folder, Console& console)
      : pytest_args_(pytest_args), project_(project), config_(config), folder_(folder), console_(console) {}

  Result<ExitCode> execute() {
    console_.show_briefly("running the tests with plain pytest…");
    const auto cold = run_cold_with_report(pytest_args_, project_, folder_);
    if (!cold) return tl::unexpected(cold.error());
    if (cold->result.cancelled) return exit_code_of_cancelled(cold->result.status.code.value_or(0));
    restore_cache(folder_);

    WarmRuns runs(pytest_args_, project_, folder_, console_, patience_after(*cold));
    const auto first = runs.warm_up(config_);
    if (!first) return first.error();
    const auto warm = runs.run(/*silent=*/false);
    if (!warm) return warm.error();
    if (warm->report && !cold->has_report && !has_died(cold->report)) {
      return plugin_missing(cold->result, console_);
    }
    times_ = {cold->result.duration_s, first->seconds, warm->seconds, waited(*first)};
    const auto lines = differences_between(*warm, *cold);
    if (!lines.empty()) return report_differences(lines, cold->result);
    report_agreement(cold->report);
    if (has_run_tests(warm->result.done)) advise(runs, *warm, *cold);
    return ExitCode::ok;
  }

 private:
  /// Runs of `stest verify` wait for the worker, others need not.
  double waited(const WarmRunWithReport& first) const {
    const double seconds = seconds_in(first.result.done.timings, "worker");
    return !config_.wait_for_worker && is_worth(seconds, first.seconds) ? seconds : 0;
  }

  void report_times() {
    console_.say("the time of the same tests:");
    console_.write(Stream::err, times_text(times_));
  }

  void report_agreement(const TestReport& report) {
    report_times();
    const auto ending = report.ending == "exit code 0" ? "" : "; both " + report.ending;
    console_.say("warm and cold agree: " + summary(report) + ending);
  }

  ExitCode report_differences(const Lines& lines, const ColdResult& cold) {
    console_.say("warm and cold differ; the cold run's output:", Console::Tone::error);
    show_output(cold, console_);
    report_times();
    const auto count = std::to_string(lines.size()) + (lines.size() == 1 ? " difference" : " differences");
    console_.say(count + " between warm and cold:", Console::Tone::error);
    std::string text;
    for (const auto& line : lines) text += "  " + line + "\n";
    console_.write(Stream::err, text);
    return ExitCode::diverged;
  }

  void advise(const WarmRuns& runs, const WarmRunWithReport& warm, const ColdRunWithReport& cold) {
    MeasuredRun measured{warm.seconds, warm.result.done.timings, {}, warm.result.notices};
    if (warm.report) measured.imports = warm.report->imports;
    auto advice = advice_for(measured, runs.worker(), runs.line(), config_);
    if (auto resident = try_resident(runs.worker(), warm, cold)) advice.push_back(std::move(*resident));
    if (advice.empty()) return console_.say("nothing would make it warmer");
    console_.say("what would make it warmer, with the time that it costs in each run:");
    console_.write(Stream::err, advice_text(advice));
  }

  /// Resident mode may help where it keeps modules of the project, or the context of a GPU.
  std::optional<Advice> try_resident(const nlohmann::json& worker, const WarmRunWithReport& warm,
                                     const ColdRunWithReport& cold) {
    const bool may_help = is_worth(seconds_before_tests(warm.result.done.timings), warm.seconds);
    if (config_.isolation == "resident" || !config_.prime) return std::nullopt;
    if (!may_help && !may_use_gpu(worker)) return std::nullopt;
    auto project = project_;
    auto config = config_;
    config.isolation = project.env["SPRINTEST_ISOLATION"] = "resident";
    restore_cache(folder_);
    WarmRuns runs(pytest_args_, project, folder_, console_, patience_after(cold));
    if (!runs.warm_up(config)) return std::nullopt;
    const auto resident = runs.run(/*silent=*/true);
    if (!resident || !differences_between(*resident, cold).empty()) return std::nullopt;
    const double saved = warm.seconds - resident->seconds;
    if (!is_worth(saved, warm.seconds)) return std::nullopt;
    return Advice{saved, "each run is a process of its own; one process for all runs gives the same answer",
                  "Set `isolation = \"resident\"`."};
  }

  const std::vector<std::string>& pytest_args_;
  const Project& project_;
  const Config& config_;
  const ScratchFolder& folder_;
  Console& console_;
  ComparedTimes times_;
};

}  // namespace

Result<ExitCode> verify(const Options& options, const Project& project, Console& console) {
  if (auto has_plugin = check_plugin(project); !has_plugin) return tl::unexpected(has_plugin.error());
  const auto config = load_config(project.paths.root, project.env);
  if (!config) return tl::unexpected(config.error());
  const auto folder = ScratchFolder::create();
  if (!folder) return tl::unexpected(folder.error());
  return Verification(options.run.pytest_args, project, *config, *folder, console).execute();
}

}  // namespace stest
