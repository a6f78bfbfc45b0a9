#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "stest/config.hpp"
#include "stest/file_state.hpp"
#include "stest/process_attributes.hpp"

namespace stest {

/// The state of the installed packages, by a few `stat` calls: the interpreter, the folders in which packages
/// are installed, and the `.pth` files in them.
using SitesState = std::map<std::string, FileState>;
SitesState sites_state(const std::filesystem::path& python, const std::vector<std::string>& site_dirs);

/// The usual site directories of `python`, for a worker that has not reported its own.
std::vector<std::string> usual_site_dirs(const std::filesystem::path& python);

/// The first path whose state has changed. A new `.pth` file changes its folder.
std::optional<std::string> changed_site(const SitesState& before);

/// What a worker depends on. It cannot serve a run with a different key.
struct WorkerKey {
  Environment env;
  std::string cwd;
  std::vector<std::string> preload;  ///< As configured, like the next four.
  std::vector<std::string> ignore;
  std::string target_path;
  std::string target = {};
  /// Libraries read these only when they are loaded, or a running process cannot change them.
  std::vector<int> affinity = {};
  std::optional<Limit> stack = {};
};

/// Why a worker was started.
enum class RestartReason {
  first_run,
  died,
  not_preloadable,
  environment_changed,
  cwd_changed,
  attributes_changed,
  packages_changed,
  preload_changed,
  project_code_changed,
  memory_limit,
};
struct Restart {
  RestartReason reason = RestartReason::first_run;
  std::string text;  ///< "OMP_NUM_THREADS changed"
};

/// The variables that were read during preloading, each with the first module that read it; empty if that is
/// not known.
using VariableReaders = std::map<std::string, std::string>;

/// Why a worker with key `running` cannot serve a run that needs `wanted`; nothing if it can. `env_reads` are
/// the variables that were read during preloading. The comparison uses the values with which the worker was
/// started, because modules may set a variable before they read it.
std::optional<Restart> difference(const WorkerKey& running, const WorkerKey& wanted,
                                  const VariableReaders& env_reads);

/// Whether a variable is always compared, because C libraries or the interpreter read it, which `env_reads`
/// does not show.
bool always_counts(std::string_view variable);
/// Whether a variable is never compared, because shells, terminals or pytest set it for each command.
bool never_counts(std::string_view variable);

}  // namespace stest
