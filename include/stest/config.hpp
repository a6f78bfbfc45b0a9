#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stest/error.hpp"

namespace stest {

using Environment = std::map<std::string, std::string>;

/// The value of a variable; empty if it is unset.
inline std::string value_of(const Environment& env, const std::string& variable) {
  const auto found = env.find(variable);
  return found == env.end() ? std::string() : found->second;
}

/// The settings of one project: `[tool.sprintest]` in `pyproject.toml`, overridden by `SPRINTEST_*`
/// variables. A table in `config.cpp` lists every key with its variable, type and default. A test compares
/// `docs/configuration.md` with this table.
struct Config {
  std::vector<std::string> ignore;   ///< Patterns (`torch.*`) of modules that are never unloaded.
  std::vector<std::string> preload;  ///< Modules that the worker imports ahead of the first run.
  std::string isolation = "fork";
  std::optional<std::string> target;       ///< Name of the package under development.
  std::optional<std::string> target_path;  ///< Folder of that package, from the root; it exists.
  std::chrono::milliseconds stuck_after{30'000};
  std::chrono::milliseconds hang_timeout{0};  ///< 0: no limit.
  std::chrono::milliseconds idle_timeout{2 * 3600 * 1000};
  /// The time that the worker has to start, to import one module, or to answer while a run goes on.
  std::chrono::milliseconds worker_timeout{300'000};
  int concurrency = 0;                        ///< 0: not set; see `default_concurrency`.
  std::optional<std::uint64_t> memory_limit;  ///< Bytes of resident memory of the worker.
  bool prime = true;                          ///< The worker may do runs ahead.
  bool wait_for_worker = false;               ///< Else the client runs cold while the worker imports.
  bool verify_failures = false;               ///< The client checks failures in a cold run.
  /// Of the workers of pytest-xdist: so many GPUs of those that are visible, or these. Nothing: as they come.
  std::optional<std::variant<int, std::vector<std::string>>> gpus;
  bool force_tcp = false;
  std::optional<int> port;  ///< For TCP. Unset: 8000, or a free one if 8000 is in use.
  std::string log_level = "INFO";
  std::vector<std::string> warnings;  ///< What looks like a setting of stest and is none, a line each.
};

/// Reads `root/pyproject.toml` (if there is one) and the `SPRINTEST_*` variables of `env`.
///
/// Errors: `ErrorCode::config`, with a message of the form
/// "FILE:LINE: unknown key 'x' in [tool.sprintest]" or "SPRINTEST_X: …", and a hint that lists the
/// accepted keys or values.
Result<Config> load_config(const std::filesystem::path& root, const Environment& env);

/// Reads only the `SPRINTEST_*` variables of `env`; all else has its default. Errors: `config`, as above.
Result<Config> load_variables(const Environment& env);

/// The documented settings, one row each, in the order of the table. Tests compare them with the documents
/// and with `--help`.
struct ConfigKey {
  std::string key;       ///< Empty if there is only a variable.
  std::string variable;  ///< Empty if there is only a key.
  std::string accepts;   ///< "a list of strings", "true or false", …
  std::string fallback;  ///< The default, as the documents show it.
};
std::vector<ConfigKey> config_keys();

}  // namespace stest
