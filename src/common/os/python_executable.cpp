#include "common/os/python_executable.hpp"

#include <unistd.h>

#include <sstream>

#include "common/os/process.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return ::access(path.c_str(), X_OK) == 0 && !fs::is_directory(path, ignored);
}

bool is_in_virtual_environment(const fs::path& python) {
  std::error_code ignored;
  return fs::exists(python.parent_path().parent_path() / "pyvenv.cfg", ignored);
}

fs::path without_links(const fs::path& path) {
  std::error_code error;
  auto resolved = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : resolved;
}

}  // namespace

std::optional<fs::path> python_in(const fs::path& folder) {
  for (const char* name : {"python3", "python"}) {
    if (!folder.empty() && is_program(folder / name)) return folder / name;
  }
  return std::nullopt;
}

fs::path python_executable(const fs::path& folder) {
  if (const auto found = python_in(folder)) return *found;
  // If this environment's interpreter is gone, no other one may take its place.
  std::error_code ignored;
  for (const char* name : {"python3", "python"}) {
    if (!folder.empty() && fs::is_symlink(folder / name, ignored)) return folder / name;
  }
  const fs::path built_for = STEST_PYTHON_EXECUTABLE;  // A wheel has only a name.
  return built_for.is_absolute() ? built_for
                                 : find_command(built_for, current_environment()).value_or(built_for);
}

fs::path python_executable(const fs::path& folder, const Environment& env) {
  const auto& chosen = value_of(env, python_variable);
  return chosen.empty() ? python_executable(folder) : fs::path(chosen);
}

std::optional<fs::path> find_command(const std::string& name, const Environment& env) {
  std::istringstream folders(value_of(env, "PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && is_program(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  return std::nullopt;
}

std::optional<fs::path> find_python(const std::string& name, const fs::path& base, const Environment& env) {
  std::error_code ignored;
  auto python = (base / name).lexically_normal();
  if (fs::is_directory(python, ignored)) {
    python = python_in(python / "bin").value_or(python);
  } else if (name.find('/') == name.npos) {
    python = find_command(name, env).value_or(python);
  }
  if (!is_program(python)) return std::nullopt;
  if (!is_in_virtual_environment(python)) return without_links(python);
  const auto folder = without_links(python.parent_path());
  return python_in(folder).value_or(folder / python.filename());
}

fs::path environment_of(const fs::path& python) {
  return without_links(is_in_virtual_environment(python) ? python.parent_path().parent_path() : python);
}

}  // namespace stest
