// How a run gets a worker: the part of `WorkerManager` that `acquire` needs.

#include <spdlog/spdlog.h>

#include <cmath>
#include <csignal>
#include <utility>

#include "common/os/cgroup.hpp"
#include "daemon/run/answer_watch.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/worker/worker_manager.hpp"

namespace stest {

namespace {

using State = WorkerInstance::State;

Error given_up() {
  return {ErrorCode::cancelled, "the run was cancelled while it waited for the worker", ""};
}

Error never_fit(const Restart& why) {
  return {ErrorCode::worker_failed, "each new worker would have to be restarted: " + why.text, ""};
}

std::string tenths_text(ImportClock::Seconds time) {
  return seconds_text(std::chrono::milliseconds(100 * std::lround(10 * time.count())));
}

/// The run is not to wait for a worker: its client makes a cold run, which takes as long as plain pytest.
Error warming(const WorkerInstance& instance, std::optional<ImportClock::Seconds> expected, bool is_first) {
  if (is_first) return {ErrorCode::warming, nothing_loaded, ""};
  std::string progress;
  if (instance.import_clock.is_running()) {
    progress = " (" + tenths_text(instance.import_clock.so_far());
    if (expected) progress += " of about " + tenths_text(*expected);
    progress += ")";
  }
  const auto what = instance.importing.empty() ? "starts" : "imports " + instance.importing;
  return {ErrorCode::warming, "the worker " + what + progress, ""};
}

std::string start_text(const Restart& why, bool replaces) {
  if (why.reason == RestartReason::first_run) return "started worker";
  return (replaces ? "restarted worker: " : "started another worker: ") + why.text;
}

Error used_by_others(const Restart& why) {
  return {ErrorCode::warming, "the worker serves another run, and this one needs another worker: " + why.text,
          ""};
}

Error busy(const Restart& why) {
  return {ErrorCode::busy, "other runs are going on, and this one needs another worker: " + why.text,
          "Without --no-wait (\"wait\": false) the run waits until they are over."};
}

/// Then it concerns all runs: the worker is of no use any more.
bool is_of_configuration(const Restart& why) {
  return why.reason == RestartReason::preload_changed || why.reason == RestartReason::project_code_changed;
}

std::optional<Limit> stack_of(const ProcessAttributes& attributes) {
  const auto limit = attributes.limits.find("stack");
  return limit == attributes.limits.end() ? std::nullopt : std::optional(limit->second);
}

}  // namespace

/// What one `acquire` needs and has tried.
struct WorkerManager::Attempt {
  const Run& run;
  const Listener& listener;
  WorkerKey key;
  WarmingProgress progress;
  bool without_learned = false;  ///< A worker died during an import; the next one imports no learned modules.
  bool after_kill = false;       ///< A worker was killed by SIGKILL; the next one imports the same modules.
  bool may_be_cold = false;      ///< The run does not wait for a worker that imports, or serves others.
  bool is_first = false;         ///< There was no worker; see `nothing_loaded`.
  bool was_fit = false;          ///< The claimed worker was ready, and none of its files has changed.
};

/// How many workers in a row may be outdated as soon as they are ready. For the first one, the cause may be
/// an edit. If the second one is outdated as well, the next one would be: for example, `sitecustomize` writes
/// a file that it reads.
constexpr int most_outdated = 2;

Result<WorkerLease> WorkerManager::acquire(const Run& run, const Listener& listener) {
  const auto& request = run.request;
  const auto& config = run.config;
  const auto target_path = config.target_path ? (program_.root / *config.target_path).string() : "";
  WorkerKey key{request.env,   request.cwd, config.preload,
                config.ignore, target_path, config.target.value_or("")};
  if (request.process) {
    key.affinity = request.process->affinity;
    key.stack = stack_of(*request.process);
  }
  {
    const std::lock_guard lock(mutex_);
    if (auto failure = failure_.find(key)) return tl::unexpected(std::move(*failure));
  }
  Attempt attempt{run, listener, key, WarmingProgress(listener)};
  attempt.may_be_cold = request.cold_pid && !config.wait_for_worker;
  for (;;) {
    auto instance = claim(attempt);
    if (!instance) return tl::unexpected(instance.error());
    WorkerLease lease(*this, *instance);
    const auto ready = await_ready(**instance, attempt);
    if (!ready && ready.error().code == ErrorCode::warming) give_way(*instance, run);
    if (!ready) return tl::unexpected(ready.error());
    if (!*ready) continue;
    if (attempt.is_first) listener.emit(event::Notice{nothing_loaded});
    begin(lease, listener);
    return lease;
  }
}

/// The run is cold. The imports wait while it needs all processors.
void WorkerManager::give_way(const Instance& instance, const Run& run) {
  auto expected = run.request.python ? tl::unexpected(Error{}) : ExpectedRun::of(run);
  const auto& process = run.request.process;
  const bool has_one = process && process->affinity.size() == 1;
  const std::lock_guard lock(mutex_);
  if (expected) instance->expected_run = std::move(*expected);
  const int processors = has_one ? 1 : std::max(1, static_cast<int>(usable_processors()));
  pauses_.begin(*run.request.cold_pid, processors, [this, weak = std::weak_ptr(instance)](bool on) {
    const auto worker = weak.lock();
    const std::lock_guard locked(mutex_);
    if (!worker || (on && worker->claims > 0)) return false;  // Another run waits for it.
    worker->process->suspend(on);
    return on;
  });
}

void WorkerManager::begin(WorkerLease& lease, const Listener& listener) {
  std::unique_lock lock(mutex_);
  lease.value_reports_ = lease.instance_->values.reports();
  const auto news = lease.instance_->news();
  lock.unlock();
  for (const auto& text : news) listener.emit(event::Notice{text});
}

/// Takes a claim on a worker that can serve the run, or on a new one. Runs take their claims in turn, so that
/// a run that waits until a worker can be replaced is not overtaken by runs that this worker can serve.
Result<WorkerManager::Instance> WorkerManager::claim(Attempt& attempt) {
  std::unique_lock lock(mutex_);
  const auto turn = ++last_turn_;
  turns_.insert(turn);
  auto claimed = claim_in_turn(lock, attempt, turn);
  turns_.erase(turn);
  lock.unlock();
  changed();
  return claimed;
}

Result<WorkerManager::Instance> WorkerManager::claim_in_turn(std::unique_lock<std::mutex>& lock,
                                                             Attempt& attempt, std::uint64_t turn) {
  for (;;) {
    if (stopped_) return tl::unexpected(given_up());
    if (!replacing_ && *turns_.begin() == turn) {
      auto choice = choose(attempt);
      if (!choice.why) {
        const auto loaded = choice.worker->loaded;
        choice.why = changed_files(lock, loaded);
        if (stopped_ || replacing_ || !workers_.holds(choice.worker) || choice.worker->loaded != loaded)
          continue;
        if (!choice.why)
          choice.why = why_unfit(*choice.worker, attempt);  // It may have ended in the meantime.
      }
      if (!choice.why) return take_claim(choice.worker, attempt);
      const std::size_t most = mode_of(attempt.run.config) == protocol::RunMode::resident ? 1 : SIZE_MAX;
      auto goes = choice.worker;
      if (!goes && !workers_.has_room(most)) goes = workers_.dispensable();
      if (!goes || goes->claims == 0) return replace(lock, attempt, choice, goes);
      if (!attempt.run.request.wait) return tl::unexpected(busy(*choice.why));
      if (attempt.may_be_cold) return tl::unexpected(used_by_others(*choice.why));
    }
    lock.unlock();
    attempt.progress.tell("", std::nullopt);
    const bool goes_on = is_wanted(attempt.run, attempt.listener);
    lock.lock();
    if (!goes_on) return tl::unexpected(given_up());
    changed_.wait_for(lock, liveness_interval);
  }
}

/// The worker that was started for such runs, and why it is unfit. If there is none: why the last used one is
/// no such.
WorkerManager::Choice WorkerManager::choose(const Attempt& attempt) const {
  for (const auto& one : workers_.all()) {
    const auto why = difference(one->key, attempt.key, one->env_reads());
    if (!why || is_of_configuration(*why)) return {one, why_unfit(*one, attempt)};
  }
  const auto last = workers_.last_used();
  if (!last) return {nullptr, Restart{RestartReason::first_run, ""}};
  return {nullptr, difference(last->key, attempt.key, last->env_reads())};
}

WorkerManager::Instance WorkerManager::take_claim(const Instance& worker, Attempt& attempt) {
  if (const auto last = workers_.last_used(); last && last != worker && last->state == State::ready) {
    (void)last->process->send(protocol::Prime{false});  // What it does ahead must not slow this run down.
  }
  workers_.use(worker);
  attempt.was_fit = worker->state == State::ready;
  ++worker->claims;
  ++worker->runs;
  worker->shrunk = 0;
  return worker;
}

/// Why a worker that was started for such runs is unfit. Does not check its files.
std::optional<Restart> WorkerManager::why_unfit(const WorkerInstance& worker, const Attempt& attempt) const {
  if (worker.variables != store_.variables()) {
    return Restart{RestartReason::environment_changed,
                   "the tests set variables before they import modules that read them"};
  }
  return worker.why_not_for(attempt.key, attempt.run.config.memory_limit);
}

/// Unlocks while it checks the files, because there are thousands, and the disk may be slow.
std::optional<Restart> WorkerManager::changed_files(std::unique_lock<std::mutex>& lock,
                                                    const std::shared_ptr<const LoadedFiles>& loaded) const {
  if (!loaded) return std::nullopt;
  lock.unlock();
  auto why = check_(*loaded);
  lock.lock();
  return why;
}

/// Checks the files of a worker that has become ready. Unlocks in the meantime.
void WorkerManager::check_new(std::unique_lock<std::mutex>& lock, WorkerInstance& instance) {
  auto changed = changed_files(lock, instance.loaded);
  if (!changed) {
    instance.outdated_in_a_row = 0;
  } else if (!std::exchange(instance.outdated, std::move(changed))) {
    ++instance.outdated_in_a_row;
  }
}

/// Starts a worker; the one that `goes`, if any, ends before.
Result<WorkerManager::Instance> WorkerManager::replace(std::unique_lock<std::mutex>& lock, Attempt& attempt,
                                                       const Choice& choice, const Instance& goes) {
  const auto& why = *choice.why;
  const int outdated = choice.worker ? std::exchange(choice.worker->outdated_in_a_row, 0) : 0;
  if (outdated >= most_outdated) {
    return tl::unexpected(failure_.remember(*choice.worker, program_, never_fit(why)));
  }
  if (goes) end(lock, goes);
  replacing_ = true;
  store_.forget_if_outdated();
  lock.unlock();
  const bool is_first = why.reason == RestartReason::first_run;
  attempt.is_first = attempt.is_first || is_first;
  const auto notice = start_text(why, choice.worker != nullptr);
  spdlog::info("run {}: {}", attempt.run.id, notice);
  const bool heard = is_first || attempt.listener.emit(event::Notice{notice});
  auto started = heard ? start(attempt.key, !attempt.without_learned) : tl::unexpected(given_up());
  lock.lock();
  replacing_ = false;
  if (!started) return started;
  (*started)->outdated_in_a_row = outdated;
  return take_claim(*started, attempt);
}

/// True if the worker is ready for the run, false if another one must be tried.
Result<bool> WorkerManager::await_ready(WorkerInstance& instance, Attempt& attempt) {
  const auto timeout = attempt.run.config.worker_timeout;
  AnswerWatch watch(timeout, AnswerWatch::Clock::now());
  std::unique_lock lock(mutex_);
  for (std::uint64_t seen = instance.signs + 1; instance.state != State::ended;) {
    if (std::exchange(seen, instance.signs) != instance.signs) watch.asked();
    watch.tick(AnswerWatch::Clock::now());
    if (watch.is_over()) {
      watch.answered();  // It will be killed; no answer is owed any more.
      give_up(instance, timeout);
    }
    if (stopped_) return tl::unexpected(given_up());
    if (instance.state == State::ready) {
      // Checked again after the imports, because the variables and files that they read count as well.
      if (!attempt.was_fit) check_new(lock, instance);
      return !instance.why_not_for(attempt.key, std::nullopt);
    }
    const auto module = instance.importing;
    const auto expected = store_.start_time(instance.asked.size());
    if (is_cold_rather(instance, attempt))
      return tl::unexpected(warming(instance, expected, attempt.is_first));
    instance.process->resume();
    const auto left = instance.time_left(expected);
    lock.unlock();
    attempt.progress.tell(module, left);
    if (!is_wanted(attempt.run, attempt.listener)) return tl::unexpected(given_up());
    lock.lock();
    if (instance.importing != module || instance.state >= State::ready) continue;
    changed_.wait_for(lock, liveness_interval);
  }
  if (stopped_) return tl::unexpected(given_up());
  if (!may_retry(instance, attempt)) return tl::unexpected(no_worker(instance));
  return false;
}

/// Whether a run is cold rather than that it waits for this worker.
bool WorkerManager::is_cold_rather(WorkerInstance& instance, const Attempt& attempt) {
  if (!attempt.may_be_cold || !instance.has_to_import()) return false;
  if (instance.process->is_suspended()) return true;
  return !instance.end_trial() && !instance.imports_only_for(attempt.run.request.args);
}

/// Kills a worker that does not answer. `on_end` handles its end.
void WorkerManager::give_up(WorkerInstance& instance, std::chrono::milliseconds timeout) {
  const auto limit = seconds_text(timeout);
  if (!instance.importing.empty()) {
    instance.not_preloadable =
        protocol::NotPreloadable{instance.importing, "its import did not end within " + limit};
  }
  instance.process->give_up("did not answer for " + limit);
}

/// The error for a run for which no worker became ready. It is remembered, because it would happen again;
/// except after a SIGKILL from outside.
Error WorkerManager::no_worker(const WorkerInstance& instance) {
  auto error = instance.failure(program_.log_file);
  const bool is_own_end = instance.refused || !instance.process->why_given_up().empty();
  if (instance.exit.signal == SIGKILL && !is_own_end) return error;
  return failure_.remember(instance, program_, std::move(error));
}

/// Whether the next worker may succeed, after this one has ended before it was ready.
bool WorkerManager::may_retry(const WorkerInstance& instance, Attempt& attempt) {
  if (instance.not_preloadable && instance.blamed)
    return true;  // Each worker imports one module less, so this ends.
  // SIGKILL comes from outside (a user, the OOM killer) and says nothing about a module.
  if (instance.exit.signal == SIGKILL) return !std::exchange(attempt.after_kill, true);
  if (!instance.blamed) return false;
  return !std::exchange(attempt.without_learned, true);
}

}  // namespace stest
