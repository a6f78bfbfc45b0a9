#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/json/json_fields.hpp"
#include "daemon/worker/worker_key.hpp"
#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What runs and workers taught about preloading, kept in `.sprintest/preload.json`: the third-party
/// modules that runs imported themselves, those that proved not preloadable, and regular expressions.
/// Forgotten when the interpreter or the installed packages change. Not thread-safe.
class PreloadStore {
 public:
  using NotPreloaded = protocol::NotPreloaded;

  PreloadStore(std::filesystem::path file, std::filesystem::path python);

  /// What to preload, in order: `configured`, then what was learned, without what is not preloadable.
  std::vector<std::string> modules(const std::vector<std::string>& configured, bool with_learned) const;

  /// What proved not preloadable, in the order in which it was found.
  const std::vector<NotPreloaded>& not_preloaded() const { return not_preloaded_; }

  /// Forgets everything if the packages are no longer those that it was learned with.
  void forget_if_outdated();

  /// Adds the modules that are new; `path` was `sys.path` when they were imported. Errors: the file
  /// cannot be written; what was learned is kept in memory.
  Status learn(const std::vector<std::string>& imported, const std::vector<std::string>& path,
               const std::vector<std::string>& site_dirs);

  /// Takes note of the patterns that a run compiled itself. One counts as learned when a second run compiled
  /// it as well: others are made of a run's own data (the folder `tmp_path`), never occur again, and are none
  /// of a file's business. Of too many, those that were not compiled for longest are dropped. Errors: as
  /// above.
  Status learn_patterns(const std::vector<std::string>& compiled, const std::vector<std::string>& site_dirs);

  /// Those learned, in the order in which they were last compiled by a run.
  const std::vector<std::string>& patterns() const { return patterns_; }

  /// Notes that runs have these variables so (nothing: unset) when they import `module`, whatever their
  /// client has. Where that goes to and fro, they import it themselves from then on. Errors: as above.
  Status learn_variables(const std::string& module, const OptionalEnvironment& variables,
                         const std::vector<std::string>& site_dirs);

  /// Those learned, for the process that loads the modules.
  const OptionalEnvironment& variables() const { return variables_; }

  static constexpr int max_changes = 3;  ///< Of a variable.

  static constexpr std::size_t max_patterns = 4096;
  static constexpr std::size_t max_pattern_bytes = 1u << 20;  ///< Of their text, together.

  /// Where to look for the modules.
  const std::vector<std::string>& path() const { return path_; }

  using Seconds = std::chrono::duration<double>;
  /// Notes how long a worker took until all of so many modules were imported.
  Status remember_start(std::size_t modules, Seconds time, const std::vector<std::string>& site_dirs);
  /// How long it will take, as far as the last time tells: it had about as many modules.
  std::optional<Seconds> start_time(std::size_t modules) const;

  /// Whether so many modules can be imported without a fork that tries them out: none ever proved not
  /// preloadable, or as many were imported the last time.
  bool is_tried(std::size_t modules) const { return not_preloaded_.empty() || modules == started_modules_; }

  /// Never to be preloaded again, nor what lies in it.
  Status reject(NotPreloaded module, const std::vector<std::string>& site_dirs);

 private:
  bool is_not_preloadable(std::string_view module) const;
  void load();
  void bound_patterns();
  Status save(const std::vector<std::string>& site_dirs);
  Status write() const;

  std::filesystem::path file_;
  std::filesystem::path python_;
  SitesState sites_;
  std::vector<std::string> learned_;
  std::vector<std::string> path_;
  std::vector<NotPreloaded> not_preloaded_;
  std::vector<std::string> patterns_;
  OptionalEnvironment variables_;
  std::map<std::string, int> changes_;             ///< How often each of them changed.
  std::unordered_set<std::size_t> compiled_once_;  ///< Hashes.
  std::size_t started_modules_ = 0;                ///< Of the last start; 0 where there was none.
  Seconds started_time_{0};
};

/// Whether `name` is `module` or lies in it.
bool covers(std::string_view module, std::string_view name);

}  // namespace stest
