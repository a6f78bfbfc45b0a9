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
#include "daemon/worker/warm_values.hpp"
#include "daemon/worker/worker_key.hpp"
#include "daemon/worker/worker_process.hpp"

namespace stest {

/// The time that a worker has needed to start and to import what is to be preloaded; runs from the start.
class ImportClock {
 public:
  using Seconds = std::chrono::duration<double>;

  void start() { begin_ = Clock::now(); }
  /// Whether it ran.
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

/// The files that a worker has loaded, as they were then. It never changes, so that thousands of them can be
/// looked at without a lock.
struct LoadedFiles {
  SitesState sites;  ///< At the time of the greeting.
  std::vector<protocol::Ready::File> files;
};

/// Why a worker that has loaded these is outdated; nothing if all are as they were, ignored ones aside.
std::optional<Restart> changed_since(const LoadedFiles& loaded);

/// One worker as the manager knows it, from its start to its end. The manager's mutex guards all but
/// `key` and `process`, which never change once it listens.
struct WorkerInstance {
  enum class State {
    starting,  ///< Has not greeted.
    warming,   ///< Imports.
    ready,     ///< Takes runs.
    ended,     ///< Gone, with all its descendants.
  };

  WorkerKey key;
  std::uintmax_t log_offset = 0;  ///< Where the log ended when the worker started.

  State state = State::starting;
  int claims = 0;                        ///< Runs that wait for it or run on it.
  int runs = 0;                          ///< That have had a claim on it.
  std::vector<std::string> asked;        ///< The modules that it was told, or will be, to preload.
  OptionalEnvironment variables;         ///< That it loads modules with, on top of the client's.
  bool is_outdated = false;              ///< A run found that what it has loaded is of no use.
  std::set<std::string> asked_patterns;  ///< The same of regular expressions.
  ImportClock import_clock;
  std::string importing;                      ///< The module being imported.
  protocol::Ready ready;                      ///< The last one; empty before the greeting.
  std::shared_ptr<const LoadedFiles> loaded;  ///< With it; nothing before the greeting.
  protocol::Snapshots snapshots;
  std::optional<protocol::NotPreloadable> not_preloadable;
  std::optional<protocol::Unable> unable;  ///< It has said that it can serve no run.
  std::optional<Error> refused;            ///< Why the daemon killed it.
  std::uint64_t signs = 0;                 ///< How often something was heard from it or asked of it.
  std::optional<OomWatch> oom;             ///< Since it was last given something to import.
  bool dismissed = false;                  ///< The daemon ended it, through no fault of any module.
  ExitStatus exit;
  std::string end_text;                          ///< How it ended, to follow "it".
  std::optional<protocol::NotPreloaded> blamed;  ///< The module that its end is blamed on.

  WarmValues values;

  std::unique_ptr<WorkerProcess> process;

  /// Notes the end, and returns the module that the next worker must not preload, if it is to blame.
  std::optional<protocol::NotPreloaded> end(const ExitStatus& status);

  /// The error of a run that waited for this worker, which ended before it was ready.
  Error failure(const std::filesystem::path& log_file) const;

  /// The "worker" of `GET /v1/status`. `known_before` is what earlier workers found not preloadable.
  nlohmann::json describe(const std::vector<protocol::NotPreloaded>& known_before) const;

  /// What to send to the worker, which waits: `preload` if there is anything in it; else the values that are
  /// due, for which no run waits, and that it may fork runners ahead. Sets the state that follows.
  std::vector<protocol::ToWorker> next_tasks(protocol::Preload preload);

  /// What a person should know of it, in words: each ignored module whose file has changed since it was
  /// loaded, once per change; once that the configured target does not exist.
  std::vector<std::string> news();

  /// What is left to wait for until all is imported, where that took `expected` before; nothing where
  /// that is not known, or over.
  std::optional<ImportClock::Seconds> time_left(std::optional<ImportClock::Seconds> expected) const;

  std::set<std::string> env_reads() const;
  /// Why it cannot serve `wanted`, whatever has become of its files; nothing if it can, now or once it is
  /// ready.
  std::optional<Restart> why_not_for(const WorkerKey& wanted,
                                     std::optional<std::uint64_t> memory_limit) const;

 private:
  std::vector<std::string> changed_ignored();

  std::map<std::string, FileState> told_;  ///< By path.
  bool told_target_ = false;
};

std::string_view name(WorkerInstance::State state);

}  // namespace stest
