#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stest/error.hpp"

namespace stest {

using Environment = std::map<std::string, std::string>;

/// The settings of one project: `[tool.sprintest]` in `pyproject.toml`, overridden by `SPRINTEST_*`
/// variables. Every key, its variable, its type and its default stand in one table in `config.cpp`;
/// `docs/configuration.md` is checked against that table by a test.
struct Config {
  std::vector<std::string> ignore;   ///< Patterns (`torch.*`) of modules that are never unloaded.
  std::vector<std::string> preload;  ///< Modules that the worker imports ahead of the first run.
  std::vector<std::string> learn{"modules", "patterns"};  ///< What runs may teach the worker.
  std::string isolation = "fork";
  std::optional<std::string> target;       ///< Name of the package under development.
  std::optional<std::string> target_path;  ///< Folder of that package, from the root; it exists.
  std::chrono::milliseconds stuck_after{30'000};
  std::chrono::milliseconds hang_timeout{0};  ///< 0: a silent run is never ended.
  std::chrono::milliseconds idle_timeout{2 * 3600 * 1000};
  /// What the worker gets to start, to import one module, to begin a run. 0 is for ever.
  std::chrono::milliseconds worker_timeout{300'000};
  int concurrency = 1;
  std::optional<std::uint64_t> memory_limit;  ///< Bytes of resident memory of the worker.
  bool prime = true;                          ///< Runners may be forked ahead of the requests.
  bool verify_failures = false;               ///< The client runs again cold what failed warm.
  bool force_tcp = false;
  std::optional<int> port;  ///< For TCP; without one 8000, or another where that is taken.
  std::string log_level = "INFO";
};

/// Reads `root/pyproject.toml` (if there is one) and the `SPRINTEST_*` variables of `env`.
///
/// Errors: `ErrorCode::config`, with a message of the form
/// "FILE:LINE: unknown key 'x' in [tool.sprintest]" or "SPRINTEST_X: …", and a hint that lists the
/// accepted keys or values.
Result<Config> load_config(const std::filesystem::path& root, const Environment& env);

/// The `SPRINTEST_*` variables of `env` alone, over the defaults. Errors: `config`, as above.
Result<Config> load_variables(const Environment& env);

/// The documented keys, one row each, in the order of the table; for the docs' test and `--help`.
struct ConfigKey {
  std::string key;       ///< Empty where only the variable exists.
  std::string variable;  ///< Empty where only the key exists.
  std::string accepts;   ///< "list of strings", "fork", "duration such as 30s, 5m or 2h", …
  std::string fallback;  ///< The default, as a person would write it.
};
std::vector<ConfigKey> config_keys();

}  // namespace stest
