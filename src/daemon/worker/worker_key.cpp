#include "daemon/worker/worker_key.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "common/os/nanoseconds.hpp"

namespace stest {

namespace {

constexpr std::array<std::string_view, 13> families{"OMP_",   "MKL_", "OPENBLAS_",     "CUDA_", "HF_",
                                                    "PYTHON", "LD_",  "KMP_",          "GOMP_", "MALLOC_",
                                                    "NCCL_",  "LC_",  "GLIBC_TUNABLES"};
constexpr std::array<std::string_view, 3> locale_and_zone{"LANG", "LANGUAGE", "TZ"};
constexpr std::array<std::string_view, 7> per_command{
    "_", "SHLVL", "PWD", "OLDPWD", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES"};

constexpr std::size_t names_shown = 3;
constexpr std::size_t bytes_shown = 40;  ///< Of a value.

std::optional<std::string_view> value_in(const Environment& env, const std::string& name) {
  const auto found = env.find(name);
  if (found == env.end()) return std::nullopt;
  return found->second;
}

bool counts(const std::string& name, const VariableReaders& env_reads) {
  return !never_counts(name) && (always_counts(name) || env_reads.contains(name));
}

std::set<std::string> changed_variables(const Environment& before, const Environment& now,
                                        const VariableReaders& env_reads) {
  std::set<std::string> changed;
  for (const auto* env : {&before, &now}) {
    for (const auto& [name, value] : *env) {
      if (counts(name, env_reads) && value_in(before, name) != value_in(now, name)) changed.insert(name);
    }
  }
  return changed;
}

/// Notices are kept in logs, which more people read than may know a password.
bool is_secret(std::string_view variable) {
  constexpr std::array<std::string_view, 6> words{"TOKEN", "KEY", "SECRET", "PASS", "CREDENTIAL", "AUTH"};
  return std::any_of(words.begin(), words.end(),
                     [&](auto word) { return variable.find(word) != variable.npos; });
}

std::string shown(std::optional<std::string_view> value) {
  if (!value) return "unset";
  if (value->empty()) return "empty";
  return value->size() <= bytes_shown ? std::string(*value)
                                      : std::string(value->substr(0, bytes_shown)) + "…";
}

/// "OMP_NUM_THREADS changed from 2 to 3 (numexpr read it), MODE changed from unset to fast"
std::string describe_changes(const std::set<std::string>& names, const WorkerKey& before,
                             const WorkerKey& now, const VariableReaders& readers) {
  std::string text;
  std::size_t count = 0;
  for (const auto& name : names) {
    if (count == names_shown) return text + " and " + std::to_string(names.size() - count) + " more";
    text += (count++ ? ", " : "") + name + " changed";
    if (!is_secret(name)) {
      text += " from " + shown(value_in(before.env, name)) + " to " + shown(value_in(now.env, name));
    }
    const auto reader = readers.find(name);
    if (reader != readers.end() && !reader->second.empty()) text += " (" + reader->second + " read it)";
  }
  return text;
}

/// An empty entry means the current folder.
bool has_relative_entry(std::string_view search_path) {
  if (search_path.empty()) return false;
  for (std::size_t begin = 0; begin <= search_path.size();) {
    const auto end = std::min(search_path.find(':', begin), search_path.size());
    if (end == begin || search_path[begin] != '/') return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

SitesState sites_state(const std::filesystem::path& python, const std::vector<std::string>& site_dirs) {
  SitesState state{{python.string(), file_state(python)}};
  for (const auto& folder : site_dirs) {
    state[folder] = file_state(folder);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == ".pth") state[entry.path().string()] = file_state(entry.path());
    }
  }
  return state;
}

std::vector<std::string> usual_site_dirs(const std::filesystem::path& python) {
  std::vector<std::string> folders;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(python.parent_path() / "../lib", ignored)) {
    if (entry.path().filename().string().starts_with("python")) {
      folders.push_back(entry.path() / "site-packages");
    }
  }
  return folders;
}

std::optional<std::string> changed_site(const SitesState& before) {
  for (const auto& [path, state] : before) {
    if (file_state(path) != state) return path;
  }
  return std::nullopt;
}

bool always_counts(std::string_view variable) {
  const auto begins = [&](std::string_view family) { return variable.starts_with(family); };
  return std::any_of(families.begin(), families.end(), begins) ||
         std::find(locale_and_zone.begin(), locale_and_zone.end(), variable) != locale_and_zone.end();
}

bool never_counts(std::string_view variable) {
  return variable.starts_with("TERM") ||
         std::find(per_command.begin(), per_command.end(), variable) != per_command.end();
}

std::optional<Restart> difference(const WorkerKey& running, const WorkerKey& wanted,
                                  const VariableReaders& env_reads) {
  if (const auto changed = changed_variables(running.env, wanted.env, env_reads); !changed.empty()) {
    return Restart{RestartReason::environment_changed, describe_changes(changed, running, wanted, env_reads)};
  }
  if (running.cwd != wanted.cwd && has_relative_entry(value_in(wanted.env, "PYTHONPATH").value_or(""))) {
    return Restart{RestartReason::cwd_changed, "PYTHONPATH is relative and the current folder changed"};
  }
  if (running.affinity != wanted.affinity) {
    return Restart{RestartReason::attributes_changed, "the CPU affinity changed"};
  }
  if (running.stack != wanted.stack) {
    return Restart{RestartReason::attributes_changed, "the stack limit (ulimit -s) changed"};
  }
  if (running.preload != wanted.preload) {
    return Restart{RestartReason::preload_changed, "the configured preload list changed"};
  }
  if (running.ignore != wanted.ignore || running.target_path != wanted.target_path ||
      running.target != wanted.target) {
    return Restart{RestartReason::project_code_changed, "what counts as the project's code changed"};
  }
  return std::nullopt;
}

}  // namespace stest
