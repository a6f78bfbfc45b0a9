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

/// The installed packages at one moment, as far as a few `stat` calls tell: the interpreter, the
/// folders that hold packages, and the `.pth` files in them.
using SitesState = std::map<std::string, FileState>;
SitesState sites_state(const std::filesystem::path& python, const std::vector<std::string>& site_dirs);

/// The same of a worker that never told its `site_dirs`: the folder where `python` has them as a rule.
std::vector<std::string> usual_site_dirs(const std::filesystem::path& python);

/// The first path whose state differs now. A new `.pth` file shows in its folder's state.
std::optional<std::string> changed_site(const SitesState& before);

/// What a worker was started for. One whose key differs from a run's cannot serve it.
struct WorkerKey {
  Environment env;
  std::string cwd;
  std::vector<std::string> preload;  ///< As configured; so is all that follows.
  std::vector<std::string> ignore;
  std::string target_path;
  std::string target = {};
  std::vector<std::string> learn = {};
  /// What libraries look at once, when they are loaded, and what a process cannot change when it runs.
  std::vector<int> affinity = {};
  std::optional<Limit> stack = {};

  /// Whether runs may teach it "modules" or "patterns".
  bool learns(std::string_view kind) const;
};

/// Why a worker was started, for the log and the freshness notice.
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

/// Why a worker with key `running` cannot serve a run that needs `wanted`; nothing if it can.
/// `env_reads` are the variables that were read while it preloaded. Their values are compared with
/// those that the worker was started with, since modules may set a variable before they read it.
std::optional<Restart> difference(const WorkerKey& running, const WorkerKey& wanted,
                                  const std::set<std::string>& env_reads);

/// Whether a variable counts in every worker's key: C libraries and the interpreter read it at their
/// start, unseen by `env_reads`.
bool always_counts(std::string_view variable);
/// Whether shells, terminals or stest itself set it anew for each command, so that it never counts.
bool never_counts(std::string_view variable);

}  // namespace stest
