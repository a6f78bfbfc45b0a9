#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json/json_fields.hpp"
#include "daemon/worker/worker_key.hpp"
#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What was learned about preloading, kept in `.sprintest/preload.json`: modules that runs imported
/// themselves, modules that proved not preloadable, and variables. It is dropped when the interpreter or the
/// installed packages change. Not thread-safe.
class PreloadStore {
 public:
  using NotPreloaded = protocol::NotPreloaded;

  PreloadStore(std::filesystem::path file, std::filesystem::path python);

  /// The modules to preload, in order: `configured`, then the learned ones, without those that are not
  /// preloadable.
  std::vector<std::string> modules(const std::vector<std::string>& configured, bool with_learned) const;

  /// The modules that proved not preloadable, in the order in which they were found.
  const std::vector<NotPreloaded>& not_preloaded() const { return not_preloaded_; }

  /// Drops everything if the installed packages have changed since.
  void forget_if_outdated();

  /// Adds the modules that are new; `path` was `sys.path` when they were imported. Errors: the file cannot be
  /// written; what was learned stays in memory.
  Status learn(const std::vector<std::string>& imported, const std::vector<std::string>& path,
               const std::vector<std::string>& site_dirs);

  /// Stores the values (nothing: unset) that variables have when runs import `module`, whatever the client's
  /// values are. If the values change again and again, the module is not preloaded any more. Errors: as
  /// above.
  Status learn_variables(const std::string& module, const OptionalEnvironment& variables,
                         const std::vector<std::string>& site_dirs);

  /// The learned variables, for the process that loads the modules.
  const OptionalEnvironment& variables() const { return variables_; }

  static constexpr int max_changes = 3;  ///< Of a variable.

  /// Where to search for the modules.
  const std::vector<std::string>& path() const { return path_; }

  using Seconds = std::chrono::duration<double>;
  /// Stores how long a worker took to start and to import this number of modules.
  Status remember_start(std::size_t modules, Seconds time, const std::vector<std::string>& site_dirs);
  /// The expected time for this number of modules, if the last start had about as many.
  std::optional<Seconds> start_time(std::size_t modules) const;

  /// Whether this number of modules can be imported without a trial in a fork: no module has proved not
  /// preloadable, or as many were imported at the last start.
  bool is_tried(std::size_t modules) const { return not_preloaded_.empty() || modules == started_modules_; }

  /// Marks a module, with its submodules, as not preloadable.
  Status reject(NotPreloaded module, const std::vector<std::string>& site_dirs);

 private:
  bool is_not_preloadable(std::string_view module) const;
  void load();
  Status save(const std::vector<std::string>& site_dirs);
  Status write() const;

  std::filesystem::path file_;
  std::filesystem::path python_;
  SitesState sites_;
  std::vector<std::string> learned_;
  std::vector<std::string> path_;
  std::vector<NotPreloaded> not_preloaded_;
  OptionalEnvironment variables_;
  std::map<std::string, int> changes_;  ///< How often each variable has changed.
  std::size_t started_modules_ = 0;     ///< Of the last start; 0 if there was none.
  Seconds started_time_{0};
};

/// Whether `name` is `module` or one of its submodules.
bool covers(std::string_view module, std::string_view name);

}  // namespace stest
