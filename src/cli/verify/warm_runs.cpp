#include "cli/verify/warm_runs.hpp"

#include <utility>

#include "cli/verify/prepared.hpp"
#include "cli/verify/run_with_report.hpp"

namespace stest {
namespace {

/// A run may teach the worker something or end it, so that the next one is not warm either.
constexpr int most_warm_ups = 4;

WarmAttempt ends_with(Result<ExitCode> answer) { return tl::make_unexpected(std::move(answer)); }

/// Whether pytest did not run, because of the daemon, the worker or the configuration.
bool could_not_run(const event::Done& done) {
  const bool has_died = done.outcome == Outcome::crashed || done.outcome == Outcome::killed;
  return !done.message.empty() && !has_died;
}

}  // namespace

WarmAttempt WarmRuns::run(bool silent) {
  const auto file = folder_.path() / "warm.jsonl";
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  RunOptions options;
  options.detached = true;
  options.silent = silent;
  options.pytest_args = with_report_plugin(pytest_args_);
  const auto begin = std::chrono::steady_clock::now();
  auto result = run_warm(options, with_report_file(project_, file), console_, [this] { folder_.remove(); });
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  if (!result) return ends_with(tl::unexpected(result.error().error));
  const auto& done = result->done;
  if (result->cancelled) return ends_with(exit_code_of_cancelled(done.exit_code));
  if (could_not_run(done)) {
    if (silent) console_.say(Error{ErrorCode::internal, done.message, done.hint});
    return ends_with(static_cast<ExitCode>(done.exit_code));
  }
  auto report = read_report(file);
  if (!report) return ends_with(tl::unexpected(report.error()));
  if (*report) (*report)->ending = ending_of(done);
  return WarmRunWithReport{std::move(*result), std::move(*report), time.count()};
}

WarmAttempt WarmRuns::warm_up(const Config& config) {
  const bool is_resident = config.isolation == "resident";
  std::optional<WarmRunWithReport> first;
  for (int runs = 1; runs <= most_warm_ups; ++runs) {
    auto attempt = run(/*silent=*/true);
    if (!attempt) return attempt;
    restore_cache(folder_);
    await_preparation(attempt->result.id, config.prime && !is_resident);
    if (!first) first = std::move(*attempt);
    // The resident process of the first run ends when the worker imports what that run has taught it.
    if (worker_.is_object() && (!is_resident || runs > 1)) break;
  }
  return std::move(*first);
}

void WarmRuns::await_preparation(std::uint64_t run, bool is_primed) {
  console_.show_briefly("waiting for what stest does ahead of the next run…");
  worker_ = await_prepared(project_.paths, {run, is_primed, patience_}, [this] { folder_.remove(); });
  line_ = worker_.is_object() ? line_of(worker_, run) : nullptr;
}

}  // namespace stest
