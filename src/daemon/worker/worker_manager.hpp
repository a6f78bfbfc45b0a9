#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "daemon/process_report.hpp"
#include "daemon/run/run.hpp"
#include "daemon/worker/import_pauses.hpp"
#include "daemon/worker/preload_store.hpp"
#include "daemon/worker/start_failure.hpp"
#include "daemon/worker/warming_progress.hpp"
#include "daemon/worker/worker_instance.hpp"
#include "daemon/worker/worker_pool.hpp"

namespace stest {

class WorkerManager;

/// A run's claim on a ready worker. As long as it exists, the worker is not replaced and gets nothing to
/// import.
class WorkerLease {
 public:
  WorkerLease(WorkerManager& manager, std::shared_ptr<WorkerInstance> instance)
      : manager_(&manager), instance_(std::move(instance)) {}
  WorkerLease(WorkerLease&&) = default;
  WorkerLease& operator=(WorkerLease&&) = delete;
  ~WorkerLease();

  WorkerProcess& worker() const { return *instance_->process; }

 private:
  friend class WorkerManager;
  WorkerManager* manager_;
  std::shared_ptr<WorkerInstance> instance_;
  std::uint64_t value_reports_ = 0;  ///< `WarmValues::reports` when the run began.
};

/// What a run says for which the first worker was started: the first line that a new user reads.
inline constexpr const char* nothing_loaded =
    "nothing was loaded yet, so this run is as slow as pytest; the next ones will not be";

/// See `WorkerManager::renew`.
inline constexpr int runs_before_renewal = 100;

/// Owns the workers. Starts one for the first run, and one more for a run with other variables. Replaces a
/// worker that has ended or is outdated, and the least recently used one if there are too many. A worker ends
/// only while no run has a claim on it. The one that replaces it starts after all its processes have ended.
class WorkerManager {
 public:
  /// Checks the files of a worker; called without a lock.
  using FileCheck = std::function<std::optional<Restart>(const LoadedFiles&)>;

  /// `on_change` is called, in any thread and without a lock, when `is_warming` may have changed.
  WorkerManager(WorkerProgram program, Children& children, std::function<void()> on_change,
                FileCheck check = changed_since);
  ~WorkerManager();

  /// Blocks until a worker is ready for `run`, and reports the progress to the listener. Errors: `cancelled`
  /// (also if the client has gone), `busy`, `warming` if the client rather makes a cold run than wait for a
  /// worker that imports or serves other runs, `worker_failed` with the end of the worker's log. If no worker
  /// can start, the error is remembered and returned at once, until something has changed.
  Result<WorkerLease> acquire(const Run& run, const Listener& listener);

  /// Stores the observations of a run on the worker of `lease`.
  void learn(const WorkerLease& lease, const Run& run, const Observations& observations);

  /// The tasks of the last used worker while no run waits: import what was learned since it
  /// started, load values, and do runs ahead. From this call on they count as begun, but they begin when the
  /// result is called.
  [[nodiscard]] std::function<void()> idle_tasks();

  /// Ends processes that wait for runs, in workers on which no run has a claim: the snapshots, with `all`
  /// also value process and resident process. Does nothing if that was done since the last run.
  void shrink(bool all);

  /// Ends workers on which no run has a claim, the least recently used one first, until `kept` are left.
  void release(std::size_t kept);

  /// Replaces a worker that has served many runs and on which no run has a claim. All its runs hash strings
  /// in the same way, so a dependence on the order of a set would never show.
  void renew();

  /// Ends all workers, whatever they do, and does not start another one.
  void stop();

  bool is_warming() const;
  /// The "worker" of `GET /v1/status`, which is the last used one; null if there is none.
  nlohmann::json describe() const;
  /// Its "other_workers".
  nlohmann::json describe_others() const;
  /// The workers, and those of their processes that serve run after run.
  KnownProcesses processes() const;

 private:
  friend class WorkerLease;
  using Instance = std::shared_ptr<WorkerInstance>;

  struct Attempt;
  Result<Instance> claim(Attempt& attempt);
  Result<Instance> claim_in_turn(std::unique_lock<std::mutex>& lock, Attempt& attempt, std::uint64_t turn);
  struct Choice {
    Instance worker;             ///< Null: no worker was started for such runs.
    std::optional<Restart> why;  ///< Why another one is needed; nothing if it is fit.
  };
  Choice choose(const Attempt& attempt) const;
  Instance take_claim(const Instance& worker, Attempt& attempt);
  Result<Instance> replace(std::unique_lock<std::mutex>& lock, Attempt& attempt, const Choice& choice,
                           const Instance& goes);
  void learn(WorkerInstance& instance, const Observations::Difference& difference);
  std::optional<Restart> why_unfit(const WorkerInstance& worker, const Attempt& attempt) const;
  std::optional<Restart> changed_files(std::unique_lock<std::mutex>& lock,
                                       const std::shared_ptr<const LoadedFiles>& loaded) const;
  Result<Instance> start(const WorkerKey& key, bool with_learned);
  Result<bool> await_ready(WorkerInstance& instance, Attempt& attempt);
  void check_new(std::unique_lock<std::mutex>& lock, WorkerInstance& instance);
  static bool is_cold_rather(WorkerInstance& instance, const Attempt& attempt);
  void give_up(WorkerInstance& instance, std::chrono::milliseconds timeout);
  void give_way(const Instance& instance, const Run& run);
  void begin(WorkerLease& lease, const Listener& listener);
  Error no_worker(const WorkerInstance& instance);
  static bool may_retry(const WorkerInstance& instance, Attempt& attempt);
  void drop(Instance instance);
  void end(std::unique_lock<std::mutex>& lock, Instance worker);

  void on_message(WorkerInstance& instance, const protocol::FromWorker& message);
  void on_ready(WorkerInstance& instance, const protocol::Ready& ready);
  void on_end(WorkerInstance& instance, const ExitStatus& status);
  void reject(WorkerInstance& instance, protocol::NotPreloaded module);
  void changed();

  const WorkerProgram program_;
  Children& children_;
  const std::function<void()> on_change_;
  const FileCheck check_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  PreloadStore store_;
  std::map<std::string, int>
      differences_;  ///< By module: how often a run could not use what was loaded ahead.
  WorkerPool workers_;
  StartFailure failure_;
  ImportPauses pauses_;
  bool replacing_ = false;  ///< A thread ends or starts the worker, without holding the lock.
  bool stopped_ = false;
  std::set<std::uint64_t> turns_;  ///< Of the runs that wait for a claim, in the order of their arrival.
  std::uint64_t last_turn_ = 0;
};

}  // namespace stest
