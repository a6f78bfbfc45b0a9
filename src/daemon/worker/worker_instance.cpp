#include "daemon/worker/worker_instance.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/config/log_tail.hpp"
#include "common/os/process.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/worker/preload_store.hpp"
#include "stest/messages.hpp"

namespace stest {

namespace {

/// How many lines of the log are shown if a worker fails.
constexpr int lines_shown = 20;

Restart why_it_ended(const WorkerInstance& instance) {
  if (instance.not_preloadable) {
    return {RestartReason::not_preloadable,
            instance.not_preloadable->module + " cannot be preloaded: " + instance.not_preloadable->reason};
  }
  std::string text = "it " + instance.end_text;
  if (!instance.importing.empty()) text += " while importing " + instance.importing;
  return {RestartReason::died, std::move(text)};
}

std::string how_it_ended(const WorkerInstance& instance, const ExitStatus& status) {
  if (auto given_up = instance.process->why_given_up(); !given_up.empty()) return given_up;
  auto text = stest::describe(status);
  // After it has served runs, an OOM kill may have been one of these.
  const bool imports = instance.state < WorkerInstance::State::ready;
  if (status.signal != SIGKILL || !imports || instance.dismissed || !instance.oom) return text;
  const auto evidence = instance.oom->evidence(instance.process->pid());
  return evidence ? text + "; " + oom_text(*evidence) : text;
}

bool asked_for(const std::vector<std::string>& asked, const std::string& module) {
  return std::any_of(asked.begin(), asked.end(),
                     [&](const std::string& name) { return covers(module, name); });
}

/// What the dynamic linker has written about a library that is not there, or a `python` about the worker that
/// it cannot host; empty if neither has.
std::string why_it_cannot_start(const std::string& log) {
  for (const std::string_view words : {"error while loading shared libraries: ", worker_cannot_start}) {
    const auto found = log.find(words);
    if (found == log.npos) continue;
    const auto begin = found + words.size();
    return log.substr(begin, log.find('\n', begin) - begin);
  }
  return {};
}

bool is_unchanged(const protocol::Ready::File& file) { return file_state(file.path) == file.state; }

using Files = std::vector<protocol::Ready::File>;

/// The first loaded file that has changed, except files of ignored modules.
Files::const_iterator find_stale(const Files& files) {
  const auto is_stale = [](const auto& file) { return !file.ignored && !is_unchanged(file); };
  return std::find_if(files.begin(), files.end(), is_stale);
}

nlohmann::json describe_target(const std::optional<protocol::Ready::Target>& target) {
  if (!target) return nullptr;
  return {{"name", bytes_to_json(target->name)}, {"path", bytes_to_json(target->path)}, {"how", target->how}};
}

}  // namespace

std::string_view name(WorkerInstance::State state) {
  static constexpr std::array<std::string_view, 4> names{"starting", "warming", "ready", "ended"};
  return names[static_cast<std::size_t>(state)];
}

std::optional<Restart> changed_since(const LoadedFiles& loaded) {
  if (const auto path = changed_site(loaded.sites)) {
    return Restart{RestartReason::packages_changed, *path + " changed"};
  }
  const auto stale = find_stale(loaded.files);
  if (stale == loaded.files.end()) return std::nullopt;
  return Restart{RestartReason::packages_changed, stale->module + " changed (" + stale->path + ")"};
}

std::optional<protocol::NotPreloaded> WorkerInstance::end(const ExitStatus& status) {
  end_text = how_it_ended(*this, status);
  state = State::ended;
  exit = status;
  if (not_preloadable && asked_for(asked, not_preloadable->module)) {
    blamed = {not_preloadable->module, not_preloadable->reason};
  } else if (!not_preloadable && !dismissed && !importing.empty() && status.signal != SIGKILL) {
    blamed = {importing, "died while importing"};
  }
  return blamed;
}

bool WorkerInstance::end_trial() {
  if (is_trial && !std::exchange(is_trial_ended, true)) (void)process->send(protocol::Prime{false});
  return is_trial_ended && (is_trial || importing.empty());
}

bool WorkerInstance::forget_unfinished() {
  std::set<std::string> finished;
  for (const auto& one : ready.preloaded) finished.insert(one.name);
  for (const auto& one : ready.not_preloaded) finished.insert(one.name);
  return std::erase_if(asked, [&](const auto& name) { return !finished.contains(name); }) > 0;
}

bool WorkerInstance::has_to_import() const {
  return state == State::starting ? !asked.empty() : state == State::warming && import_clock.is_running();
}

bool WorkerInstance::imports_only_for(const std::vector<std::string>& args) const {
  return state == State::warming && taught_by.size() == 1 && taught_by.contains(args);
}

std::optional<ImportClock::Seconds> WorkerInstance::time_left(
    std::optional<ImportClock::Seconds> expected) const {
  if (!expected || !import_clock.is_running() || *expected <= import_clock.so_far()) return std::nullopt;
  return *expected - import_clock.so_far();
}

Error WorkerInstance::failure(const std::filesystem::path& log_file) const {
  if (refused) return *refused;
  Error error{ErrorCode::worker_failed, "stest's worker " + end_text + " before it was ready",
              "`stest logs` shows its output."};
  if (not_preloadable) {
    const auto culprit = not_preloadable->module.empty() ? "" : not_preloadable->module + ": ";
    error.message = "stest's worker cannot serve: " + culprit + not_preloadable->reason;
  }
  if (unable) error.message = "stest's worker cannot serve: " + unable->reason;
  if (!importing.empty()) error.message += ", while importing " + importing;
  auto tail = log_file.empty() ? "" : last_lines(log_file, lines_shown, log_offset);
  if (!tail.empty()) tail.pop_back();  // The last newline.
  if (const auto why = why_it_cannot_start(tail); !why.empty()) {
    error.message = "stest's worker cannot start: " + why + "; install stest again in this environment";
  }
  if (!tail.empty()) error.hint = "daemon.log ends with:\n" + tail;
  return error;
}

nlohmann::json WorkerInstance::describe(const std::vector<protocol::NotPreloaded>& known_before) const {
  auto preloaded = nlohmann::json::array();
  for (const auto& module : ready.preloaded) {
    preloaded.push_back({{"module", module.name}, {"seconds", module.seconds}});
  }
  auto not_preloaded = nlohmann::json::array();
  for (const auto* list : {&ready.not_preloaded, &known_before}) {
    for (const auto& out : *list) not_preloaded.push_back({{"module", out.name}, {"reason", out.reason}});
  }
  return {{"pid", process->pid()},
          {"state", name(state)},
          {"importing", importing},
          {"python", ready.python},
          {"executable", ready.executable},
          {"preloaded", std::move(preloaded)},
          {"not_preloaded", std::move(not_preloaded)},
          {"values", values.describe()},
          {"snapshots", protocol::to_json(protocol::FromWorker(snapshots)).at("lines")},
          {"target", describe_target(ready.target)}};
}

std::vector<protocol::ToWorker> WorkerInstance::next_tasks(protocol::Preload preload) {
  state = State::warming;
  ++signs;
  if (!preload.modules.empty()) {
    oom.emplace(process->pid());
    spdlog::info("worker {} imports {} modules", process->pid(), preload.modules.size());
    values.lost();
    import_clock.start();
    return {std::move(preload)};
  }
  state = State::ready;
  std::vector<protocol::ToWorker> tasks;
  if (auto wanted = claims > 0 ? std::nullopt : values.next()) tasks.emplace_back(std::move(*wanted));
  tasks.emplace_back(protocol::Prime{});
  return tasks;
}

void WorkerInstance::shrink(bool all) {
  const int wanted = all ? 2 : 1;
  if (state != State::ready || claims > 0 || shrunk >= wanted) return;
  shrunk = wanted;
  spdlog::info("worker {} ends {} while no run comes", process->pid(),
               all ? "all processes that wait for runs" : "its snapshots");
  if (all) values.lost();
  (void)process->send(protocol::Shrink{all});
}

std::vector<std::string> WorkerInstance::news() {
  std::vector<std::string> texts;
  for (const auto& module : changed_ignored()) {
    texts.push_back(module +
                    " changed, but `ignore` keeps the loaded copy: the tests see the old one; `stest "
                    "restart` loads the new one");
  }
  const auto& target = ready.target;
  if (target && target->path.empty() && !std::exchange(told_target_, true)) {
    texts.push_back("the target " + target->name +
                    " is neither in the project nor installed: code below the root that is not "
                    "installed counts as the project's code");
  }
  return texts;
}

/// Returns each module once per change.
std::vector<std::string> WorkerInstance::changed_ignored() {
  std::vector<std::string> modules;
  if (!loaded) return modules;
  for (const auto& file : loaded->files) {
    if (!file.ignored || is_unchanged(file)) continue;
    const auto state_now = file_state(file.path);
    const auto known = told_.find(file.path);
    if (known != told_.end() && known->second == state_now) continue;
    told_[file.path] = state_now;
    modules.push_back(file.module);
  }
  return modules;
}

VariableReaders WorkerInstance::env_reads() const {
  auto readers = ready.env_readers;
  for (const auto& [variable, value] : ready.env_reads) readers.emplace(variable, "");
  return readers;
}

std::optional<Restart> WorkerInstance::why_not_for(const WorkerKey& wanted,
                                                   std::optional<std::uint64_t> memory_limit) const {
  if (state == State::ended) return why_it_ended(*this);
  if (outdated) return outdated;
  if (auto changed = difference(key, wanted, env_reads())) return changed;
  if (!memory_limit || state != State::ready) return std::nullopt;
  const auto used = resident_memory(process->pid());
  if (!used || *used <= *memory_limit) return std::nullopt;
  return Restart{RestartReason::memory_limit,
                 "it held " + mebibytes(*used) + ", and memory_limit is " + mebibytes(*memory_limit)};
}

}  // namespace stest
