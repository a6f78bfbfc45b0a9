#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/run/event_lines.hpp"
#include "daemon/run/oom_watch.hpp"
#include "daemon/worker/expected_run.hpp"
#include "daemon/worker/warm_values.hpp"
#include "daemon/worker/worker_key.hpp"
#include "daemon/worker/worker_process.hpp"

namespace stest {

/// Measures the time that a worker needs to start and to import modules. Runs from construction.
class ImportClock {
 public:
  using Seconds = std::chrono::duration<double>;

  void start() { begin_ = Clock::now(); }
  /// Returns whether it was running.
  bool stop() {
    total_ = so_far();
    return std::exchange(begin_, std::nullopt).has_value();
  }
  bool is_running() const { return begin_.has_value(); }
  Seconds so_far() const {
    if (!begin_) return total_;
    return total_ + (Clock::now() - *begin_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  Seconds total_{0};
  std::optional<Clock::time_point> begin_ = Clock::now();
};

/// The files that a worker has loaded, with their states at that time. Immutable, so that thousands of files
/// can be checked without a lock.
struct LoadedFiles {
  SitesState sites;  ///< At the time of the greeting.
  std::vector<protocol::Ready::File> files;
};

/// Why a worker that has loaded these is outdated; nothing if none has changed, except files of ignored
/// modules.
std::optional<Restart> changed_since(const LoadedFiles& loaded);

/// One worker from its start to its end, with the manager's data. The manager's mutex guards everything
/// except `key` and `process`, which do not change after `listen`.
struct WorkerInstance {
  enum class State {
    starting,  ///< The greeting has not come yet.
    warming,   ///< It imports.
    ready,     ///< It takes runs.
    ended,     ///< It has ended, with all its descendants.
  };

  WorkerKey key;
  std::uintmax_t log_offset = 0;  ///< Where the log ended when the worker started.

  State state = State::starting;
  int claims = 0;                                ///< The number of runs that wait for it or run on it.
  int runs = 0;                                  ///< The number of runs that have had a claim on it.
  std::vector<std::string> asked;                ///< The modules that it has to preload.
  std::set<std::vector<std::string>> taught_by;  ///< The arguments of the runs that taught what it imports.
  OptionalEnvironment variables;                 ///< Learned variables, which override the client's.
  std::optional<Restart> outdated;  ///< Why no run can use it; found when it was ready, or by a run.
  int outdated_in_a_row = 0;        ///< How many workers for such runs were, as soon as they were ready.
  ImportClock import_clock;
  std::string importing;                      ///< The module being imported.
  bool is_trial = false;                      ///< It is imported in a fork, which any message ends.
  bool is_trial_ended = false;                ///< By `end_trial`. The worker is ready soon.
  protocol::Ready ready;                      ///< The last one; empty before the greeting.
  std::shared_ptr<const LoadedFiles> loaded;  ///< Of `ready`; null before the greeting.
  protocol::Snapshots snapshots;
  protocol::Processes processes;
  int shrunk = 0;  ///< How far since the last run: 1 without snapshots, 2 without value and resident process.
  std::optional<protocol::NotPreloadable> not_preloadable;
  std::optional<protocol::Unable> unable;  ///< Set if it has reported that it cannot serve any run.
  std::optional<Error> refused;            ///< Why the daemon killed it after its greeting.
  std::uint64_t signs = 0;                 ///< How often something was received from it or sent to it.
  std::optional<OomWatch> oom;             ///< Since it last got modules to import.
  bool dismissed = false;                  ///< The daemon ended it, so no module is to blame.
  ExitStatus exit;
  std::string end_text;                          ///< How it ended, to follow "it".
  std::optional<protocol::NotPreloaded> blamed;  ///< The module that caused its end.

  WarmValues values;
  std::optional<ExpectedRun> expected_run;  ///< The last run that did not wait until this worker is ready.

  std::unique_ptr<WorkerProcess> process;

  /// Records the end. Returns the module that caused it, if any; the next worker must not preload it.
  std::optional<protocol::NotPreloaded> end(const ExitStatus& status);

  /// The error for a run that waited for this worker, if the worker has ended before it was ready.
  Error failure(const std::filesystem::path& log_file) const;

  /// The "worker" of `GET /v1/status`. `known_before` are modules that proved not preloadable in earlier
  /// workers.
  nlohmann::json describe(const std::vector<protocol::NotPreloaded>& known_before) const;

  /// The next messages for an idle worker: `preload` if it is not empty; else `HoldValues` if values are due,
  /// and `Prime`. Sets the new state.
  std::vector<protocol::ToWorker> next_tasks(protocol::Preload preload);

  /// Has it end processes that wait for runs if it is idle; see `WorkerManager::shrink`.
  void shrink(bool all);

  /// Notices for the next run: each ignored module whose file has changed since it was loaded, once per
  /// change; and once, that the configured target does not exist.
  std::vector<std::string> news();

  /// Ends the trial of a module, if there is one. Returns whether the worker is ready soon.
  bool end_trial();
  /// Takes the modules that it has not imported from `asked`. Returns whether there were any.
  bool forget_unfinished();
  /// Whether it imports modules, or will as soon as it has started.
  bool has_to_import() const;
  /// Whether it imports only what runs with these arguments have imported themselves: such a run would have
  /// to import it as well.
  bool imports_only_for(const std::vector<std::string>& args) const;

  /// The rest of the time until all modules are imported, if that takes `expected` in all; nothing if it is
  /// not known or over.
  std::optional<ImportClock::Seconds> time_left(std::optional<ImportClock::Seconds> expected) const;

  VariableReaders env_reads() const;
  /// Why it cannot serve `wanted`, now or when it is ready; nothing if it can. Does not check its files.
  std::optional<Restart> why_not_for(const WorkerKey& wanted,
                                     std::optional<std::uint64_t> memory_limit) const;

 private:
  std::vector<std::string> changed_ignored();

  std::map<std::string, FileState> told_;  ///< By path.
  bool told_target_ = false;
};

std::string_view name(WorkerInstance::State state);

}  // namespace stest
