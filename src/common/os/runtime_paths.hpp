#pragma once

#include <filesystem>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// The paths of the files of a project's daemon.
struct RuntimePaths {
  std::filesystem::path root;       ///< The project's root, with links resolved.
  std::filesystem::path directory;  ///< The state folder: `.sprintest` in the root, or `SPRINTEST_DIR`.
  std::filesystem::path status_file;
  std::filesystem::path lock_file;  ///< Or `SPRINTEST_LOCK_FILE`.
  std::filesystem::path log_file;
  std::filesystem::path preload_file;
  /// `daemon.sock` in the directory. If that path is longer than 107 bytes (the limit of `sun_path`), it is
  /// `$XDG_RUNTIME_DIR/stest-HASH.sock`, else `/tmp/stest-UID/HASH.sock`.
  std::filesystem::path socket;
};

/// The nearest folder from `cwd` upward that has a pytest configuration (`pytest.ini`, `.pytest.ini`,
/// `pytest.toml`, `.pytest.toml`, `[pytest]` in `tox.ini`, `[tool:pytest]` in `setup.cfg`, `[tool.pytest…]`
/// or `[tool.sprintest]` in `pyproject.toml`) or `.git`; `cwd` if there is none.
std::filesystem::path find_project_root(const std::filesystem::path& cwd);

/// The paths for `root`. From `env` it uses SPRINTEST_DIR and SPRINTEST_LOCK_FILE (relative paths count from
/// `root`), and XDG_RUNTIME_DIR.
RuntimePaths runtime_paths(const std::filesystem::path& root, const Environment& env);

/// Creates the state folder (0700) with a `.gitignore`, and the socket's folder if it is `/tmp/stest-UID`.
/// Errors: it belongs to another user, is not a folder, or is not writable; the hint names `SPRINTEST_DIR`.
Status ensure_directories(const RuntimePaths& paths);

/// Removes the status file and the socket of a daemon that has ended without doing so. The caller holds the
/// lock file, because they may belong to a new daemon.
void remove_leftovers(const RuntimePaths& paths);

}  // namespace stest
