#include "daemon/worker/worker_manager.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "common/config/log_tail.hpp"

namespace stest {

namespace {

using State = WorkerInstance::State;

/// The time that a worker has to end by itself. It has nothing to save.
constexpr std::chrono::seconds stop_grace{1};

void set(Environment& env, const OptionalEnvironment& variables) {
  for (const auto& [name, value] : variables) {
    if (value) {
      env[name] = *value;
    } else {
      env.erase(name);
    }
  }
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

void log_failure(const Status& status) {
  if (!status) spdlog::warn("the preload list was not saved: {}", status.error().message);
}

}  // namespace

WorkerLease::~WorkerLease() {
  if (instance_) manager_->drop(std::move(instance_));
}

WorkerManager::WorkerManager(WorkerProgram program, Children& children, std::function<void()> on_change,
                             FileCheck check)
    : program_(std::move(program)),
      children_(children),
      on_change_(std::move(on_change)),
      check_(std::move(check)),
      store_(program_.preload_file, program_.python),
      workers_(program_.most, program_.memory) {}

WorkerManager::~WorkerManager() { stop(); }

Result<WorkerManager::Instance> WorkerManager::start(const WorkerKey& key, bool with_learned) {
  auto instance = std::make_shared<WorkerInstance>();
  instance->key = key;
  auto env = key.env;
  {
    std::lock_guard lock(mutex_);
    instance->asked = store_.modules(key.preload, with_learned);
    // If some modules proved not preloadable, those that import them will as well. This is found out when no
    // run waits.
    instance->variables = store_.variables();
    set(env, instance->variables);
    if (!store_.is_tried(instance->asked.size())) instance->asked = store_.modules(key.preload, false);
  }
  instance->log_offset = file_size_or_zero(program_.log_file);
  const auto cwd = is_folder(key.cwd) ? key.cwd : program_.root.string();
  auto process = WorkerProcess::spawn(
      {program_.host, program_.python, program_.root, program_.log_file, env, cwd, key.ignore,
       key.target_path, key.target, key.affinity, key.stack, program_.package},
      children_);
  if (!process) return tl::unexpected(process.error());
  instance->process = std::move(*process);
  spdlog::info("worker {} started", instance->process->pid());
  // The instance outlives the threads of its process, because its destructor joins them.
  auto* raw = instance.get();
  raw->process->listen({[this, raw](const auto& message) { on_message(*raw, message); },
                        [this, raw](const auto& status) { on_end(*raw, status); }});
  return instance;
}

// By value, because the lease gives up its pointer.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void WorkerManager::drop(Instance instance) {
  {
    std::lock_guard lock(mutex_);
    --instance->claims;
  }
  changed_.notify_all();
}

/// Ends a worker. Unlocks in the meantime. On return all its processes have ended.
void WorkerManager::end(std::unique_lock<std::mutex>& lock, Instance worker) {
  workers_.remove(worker);
  replacing_ = true;
  worker->dismissed = true;
  const bool can_answer = worker->state == State::ready;
  lock.unlock();
  worker->process->stop(can_answer ? stop_grace : std::chrono::seconds(0));
  worker.reset();
  lock.lock();
  replacing_ = false;
}

void WorkerManager::learn(const WorkerLease& lease, const Run& run, const Observations& observations) {
  std::lock_guard lock(mutex_);
  auto& instance = *lease.instance_;
  const auto& site_dirs = instance.ready.site_dirs;
  if (!observations.modules.empty() && !run.request.python) instance.taught_by.insert(run.request.args);
  log_failure(store_.learn(observations.modules, observations.path, site_dirs));
  for (const auto& one : observations.differences) learn(instance, one);
  instance.values.learn(observations.values, run.request.env, lease.value_reports_);
}

/// A module that differs each time is left to the runs. Otherwise each run would be cold.
void WorkerManager::learn(WorkerInstance& instance, const Observations::Difference& difference) {
  const auto& site_dirs = instance.ready.site_dirs;
  const auto& module = difference.module;
  if (!difference.variables.empty())
    return log_failure(store_.learn_variables(module, difference.variables, site_dirs));
  const Restart outdated{RestartReason::packages_changed,
                         "its loaded modules differ from those that the tests import"};
  if (difference.is_outdated) instance.outdated = outdated;
  const int most = difference.is_outdated ? PreloadStore::max_changes : 1;
  if ((difference.is_repeatable && !difference.is_outdated) || ++differences_[module] <= most) return;
  log_failure(store_.reject({module, "runs cannot use the copy that was loaded ahead"}, site_dirs));
  instance.outdated = outdated;
}

std::function<void()> WorkerManager::idle_tasks() {
  std::unique_lock lock(mutex_);
  const auto instance = workers_.last_used();
  if (!instance || instance->state != State::ready || instance->claims > 0) return [] {};
  auto modules = store_.modules(instance->key.preload, /*with_learned=*/true);
  std::erase_if(modules, [&](const std::string& module) {
    return std::find(instance->asked.begin(), instance->asked.end(), module) != instance->asked.end();
  });
  protocol::Preload preload{std::move(modules), store_.path(), store_.not_preloaded()};
  instance->asked.insert(instance->asked.end(), preload.modules.begin(), preload.modules.end());
  auto tasks = instance->next_tasks(std::move(preload));
  lock.unlock();
  on_change_();
  return [instance, tasks = std::move(tasks)] {
    for (const auto& task : tasks) (void)instance->process->send(task);  // `on_end` handles its end.
  };
}

void WorkerManager::shrink(bool all) {
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_.all()) worker->shrink(all);
}

void WorkerManager::release(std::size_t kept) {
  std::unique_lock lock(mutex_);
  if (replacing_) return;
  while (workers_.all().size() > kept) {
    const auto worker = workers_.dispensable();
    if (worker->claims > 0) break;
    end(lock, worker);
  }
  lock.unlock();
  changed();
}

void WorkerManager::renew() {
  std::unique_lock lock(mutex_);
  const auto worker = workers_.last_used();
  const bool is_idle = worker && worker->claims == 0 && worker->state == State::ready;
  if (stopped_ || replacing_ || !is_idle || worker->runs < runs_before_renewal) return;
  const auto key = worker->key;
  end(lock, worker);
  replacing_ = true;
  lock.unlock();
  spdlog::info("replacing a worker that has served {} runs", runs_before_renewal);
  auto started = start(key, /*with_learned=*/true);
  lock.lock();
  replacing_ = false;
  if (started) workers_.use(*started);
  lock.unlock();
  changed();
}

void WorkerManager::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !replacing_; });
  while (const auto worker = workers_.last_used()) end(lock, worker);
}

bool WorkerManager::is_warming() const {
  std::lock_guard lock(mutex_);
  const auto& all = workers_.all();
  return replacing_ ||
         std::any_of(all.begin(), all.end(), [](const auto& one) { return one->state < State::ready; });
}

nlohmann::json WorkerManager::describe() const {
  std::lock_guard lock(mutex_);
  const auto worker = workers_.last_used();
  if (!worker || worker->state == State::ended) return nullptr;
  return worker->describe(store_.not_preloaded());
}

nlohmann::json WorkerManager::describe_others() const {
  std::lock_guard lock(mutex_);
  auto others = nlohmann::json::array();
  const auto last = workers_.last_used();
  for (const auto& one : workers_.all()) {
    if (one == last || one->state == State::ended) continue;
    const auto why = difference(last->key, one->key, last->env_reads());
    others.push_back(
        {{"pid", one->process->pid()}, {"state", name(one->state)}, {"differs", why ? why->text : ""}});
  }
  return others;
}

KnownProcesses WorkerManager::processes() const {
  std::lock_guard lock(mutex_);
  KnownProcesses known;
  for (const auto& one : workers_.all()) {
    const bool is_last = one == workers_.last_used();
    known[one->process->pid()] = {is_last ? ProcessRole::worker : ProcessRole::other_worker, {}};
    known[one->processes.values] = {ProcessRole::values, {}};
    known[one->processes.resident] = {ProcessRole::resident, {}};
  }
  known.erase(0);
  return known;
}

void WorkerManager::on_message(WorkerInstance& instance, const protocol::FromWorker& message) {
  if (const auto* ready = std::get_if<protocol::Ready>(&message)) return on_ready(instance, *ready);
  std::unique_lock lock(mutex_);
  ++instance.signs;
  if (const auto* importing = std::get_if<protocol::Importing>(&message)) {
    instance.importing = importing->module;
    instance.is_trial = importing->is_trial;
  } else if (const auto* not_preloadable = std::get_if<protocol::NotPreloadable>(&message)) {
    if (not_preloadable->ends_worker) {
      instance.not_preloadable = *not_preloadable;
    } else {
      reject(instance, {not_preloadable->module, not_preloadable->reason});
    }
  } else if (const auto* unable = std::get_if<protocol::Unable>(&message)) {
    instance.unable = *unable;
  } else if (const auto* snapshots = std::get_if<protocol::Snapshots>(&message)) {
    instance.snapshots = *snapshots;
  } else if (const auto* processes = std::get_if<protocol::Processes>(&message)) {
    instance.processes = *processes;
  } else if (const auto* values = std::get_if<protocol::Values>(&message)) {
    instance.values.report(*values);
  }
  lock.unlock();
  changed_.notify_all();
}

void WorkerManager::on_ready(WorkerInstance& instance, const protocol::Ready& ready) {
  const auto known = instance.loaded;  // Only this thread writes it.
  auto sites = known ? known->sites : sites_state(program_.python, ready.site_dirs);
  auto loaded = std::make_shared<const LoadedFiles>(LoadedFiles{std::move(sites), ready.files});
  std::unique_lock lock(mutex_);
  if (ready.protocol != protocol::version) {
    instance.refused = Error{ErrorCode::worker_failed,
                             "stest's worker uses version " + std::to_string(ready.protocol) +
                                 " of the protocol, its daemon version " + std::to_string(protocol::version),
                             "Install stest again: its executables have different versions."};
    lock.unlock();
    return instance.process->kill();
  }
  const bool greeting = instance.state == State::starting;
  instance.ready = ready;
  instance.loaded = std::move(loaded);
  instance.importing.clear();
  instance.is_trial = instance.is_trial_ended = false;
  protocol::Preload preload;
  if (greeting) {
    preload = {instance.asked, store_.path()};
    if (!store_.is_tried(instance.asked.size())) preload.not_preloadable = store_.not_preloaded();
  }
  const bool has_imported = instance.import_clock.stop() && preload.modules.empty();
  if (has_imported && !instance.forget_unfinished()) {
    instance.taught_by.clear();
    log_failure(
        store_.remember_start(instance.asked.size(), instance.import_clock.so_far(), ready.site_dirs));
  }
  const auto tasks = instance.next_tasks(std::move(preload));
  const auto expected =
      instance.state == State::ready ? std::exchange(instance.expected_run, std::nullopt) : std::nullopt;
  const bool is_awaited = instance.claims > 0 || instance.state != State::ready;
  lock.unlock();
  if (expected) (void)expected->send_to(*instance.process);
  for (const auto& task : tasks) (void)instance.process->send(task);
  if (!is_awaited) {  // A run that waits checks them itself.
    lock.lock();
    check_new(lock, instance);
    lock.unlock();
  }
  changed();
}

void WorkerManager::on_end(WorkerInstance& instance, const ExitStatus& status) {
  spdlog::info("worker {} {}", instance.process->pid(), stest::describe(status));
  {
    std::lock_guard lock(mutex_);
    if (auto blamed = instance.end(status)) reject(instance, std::move(*blamed));
  }
  changed();
}

void WorkerManager::reject(WorkerInstance& instance, protocol::NotPreloaded module) {
  spdlog::warn("{} will not be preloaded: {}", module.name, module.reason);
  std::erase_if(instance.asked, [&](const std::string& name) { return covers(module.name, name); });
  log_failure(store_.reject(std::move(module), instance.ready.site_dirs));
}

void WorkerManager::changed() {
  changed_.notify_all();
  on_change_();
}

}  // namespace stest
