#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/run/warm_run.hpp"
#include "cli/verify/scratch_folder.hpp"
#include "cli/verify/test_report.hpp"
#include "stest/exit_code.hpp"

namespace stest {

/// A run in the daemon, and what pytest found in it.
struct WarmRunWithReport {
  WarmResult result;
  std::optional<TestReport> report;  ///< Nothing: pytest has not loaded the plugin.
  double seconds = 0;                ///< As its user would see it, with the start of a daemon.
};

/// A run; else what `stest verify` ends with, because there is none to compare.
using WarmAttempt = tl::expected<WarmRunWithReport, Result<ExitCode>>;

/// Runs in the daemon, all with the same request, so that the worker can do it ahead. Borrows everything.
class WarmRuns {
 public:
  /// `patience`: how long the worker may take to collect the tests ahead.
  WarmRuns(const std::vector<std::string>& pytest_args, const Project& project, const ScratchFolder& folder,
           Console& console, std::chrono::seconds patience)
      : pytest_args_(pytest_args),
        project_(project),
        folder_(folder),
        console_(console),
        patience_(patience) {}

  /// `silent`: does not show the run.
  WarmAttempt run(bool silent);

  /// Makes silent runs until the worker has done ahead what it can. Each begins with the cache of pytest that
  /// the cold run found. Returns the first one.
  WarmAttempt warm_up(const Config& config);

  /// The worker after `warm_up`, as its status describes it; null if there was none.
  const nlohmann::json& worker() const { return worker_; }
  /// The run that it had done ahead; null if there was none.
  const nlohmann::json& line() const { return line_; }

 private:
  void await_preparation(std::uint64_t run, bool is_primed);

  const std::vector<std::string>& pytest_args_;
  const Project& project_;
  const ScratchFolder& folder_;
  Console& console_;
  std::chrono::seconds patience_;
  nlohmann::json worker_;
  nlohmann::json line_;
};

}  // namespace stest
