#pragma once

#include <filesystem>
#include <string>

#include "common/os/process.hpp"
#include "common/os/runtime_paths.hpp"

namespace stest {

/// Where `stest` was called, and the files of the daemon of that project.
struct Project {
  std::filesystem::path cwd;  ///< Absolute, without symbolic links.
  Environment env;
  RuntimePaths paths;
};

/// Errors: `usage` if the current folder does not exist any more.
inline Result<Project> current_project() {
  std::error_code error;
  auto cwd = std::filesystem::current_path(error);
  if (error) return fail(ErrorCode::usage, "the current folder cannot be used: " + error.message());
  auto env = current_environment();
  auto paths = runtime_paths(find_project_root(cwd), env);
  return Project{std::move(cwd), std::move(env), std::move(paths)};
}

}  // namespace stest
