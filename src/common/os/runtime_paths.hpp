#pragma once

#include <filesystem>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// Where the files of one project's daemon are.
struct RuntimePaths {
  std::filesystem::path root;       ///< The project's root, links resolved.
  std::filesystem::path directory;  ///< `.sprintest` in it, or `SPRINTEST_DIR`.
  std::filesystem::path status_file;
  std::filesystem::path lock_file;  ///< Or `SPRINTEST_LOCK_FILE`.
  std::filesystem::path log_file;
  std::filesystem::path preload_file;
  /// `daemon.sock` in the directory; where that path is over 107 bytes (the limit of `sun_path`),
  /// `$XDG_RUNTIME_DIR/stest-HASH.sock`, else `/tmp/stest-UID/HASH.sock`.
  std::filesystem::path socket;
};

/// The nearest folder from `cwd` upward that has a pytest configuration (`pytest.ini`,
/// `.pytest.ini`, `pytest.toml`, `.pytest.toml`, `[pytest]` in `tox.ini`, `[tool:pytest]` in `setup.cfg`,
/// `[tool.pytest…]` or `[tool.sprintest]` in `pyproject.toml`) or `.git`; `cwd` itself if none has.
std::filesystem::path find_project_root(const std::filesystem::path& cwd);

/// The paths for `root`. `env` supplies SPRINTEST_DIR and SPRINTEST_LOCK_FILE (relative ones count
/// from `root`), XDG_RUNTIME_DIR.
RuntimePaths runtime_paths(const std::filesystem::path& root, const Environment& env);

/// Creates the directory (0700) with its own `.gitignore`, and the socket's folder where it lies
/// elsewhere. Errors: not ours, not a folder, not writable; the hint names `SPRINTEST_DIR`.
Status ensure_directories(const RuntimePaths& paths);

/// The interpreter that belongs to the installation whose executables lie in `folder`: `python3` or
/// `python` beside them, else the one that stest was built for.
/// Not resolved: a virtual environment's `bin/python` link is its identity.
std::filesystem::path python_executable(const std::filesystem::path& folder);

}  // namespace stest
