#include "cli/python_choice.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "common/os/python_executable.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

/// A program that pyenv, asdf or mise put there in its place does not tell which environment it stands for.
bool is_interpreter(const fs::path& program) {
  std::error_code error;
  const auto file = fs::canonical(program, error);
  std::array<char, 4> magic{};
  std::ifstream(file, std::ios::binary).read(magic.data(), magic.size());
  return !error && file.filename().string().starts_with("python") &&
         std::string_view(magic.data(), magic.size()) == "\177ELF";
}

struct Meant {
  std::string by;
  fs::path python;
};

std::optional<Meant> meant_environment(const Project& project) {
  const auto& root = project.paths.root;
  const auto of_uv = value_of(project.env, "UV_PROJECT_ENVIRONMENT");
  const auto active = value_of(project.env, "VIRTUAL_ENV");
  const std::array<std::pair<const char*, fs::path>, 3> folders{
      {{"VIRTUAL_ENV", active.empty() ? fs::path() : fs::path(active)},
       {"UV_PROJECT_ENVIRONMENT", of_uv.empty() ? fs::path() : (root / of_uv).lexically_normal()},
       {"the project's .venv", root / ".venv"}}};
  for (const auto& [by, folder] : folders) {
    if (folder.empty()) continue;
    if (const auto python = python_in(folder / "bin")) return Meant{by, *python};
  }
  const auto first = find_command("python", project.env);
  if (first && is_interpreter(*first)) return Meant{"the first python of PATH", *first};
  return std::nullopt;
}

}  // namespace

Status settle_python(const std::optional<std::string>& option) {
  const auto env = current_environment();
  const auto name = option.value_or(value_of(env, python_variable));
  if (name.empty()) return {};
  std::error_code ignored;
  const auto cwd = fs::current_path(ignored);
  const auto python = find_python(name, option ? cwd : find_project_root(cwd), env);
  if (!python) {
    return fail(ErrorCode::config,
                (option ? "--python" : python_variable) + (": there is no Python at " + name),
                "Name an interpreter, a virtual environment or a command: .venv/bin/python, .venv, python3.");
  }
  const auto own = python_executable(executable_folder());
  const bool is_own = environment_of(*python) == environment_of(own);
  ::setenv(python_variable, (is_own ? own : *python).c_str(), 1);
  return {};
}

Status require_python() {
  const auto python = python_executable(executable_folder(), current_environment());
  if (::access(python.c_str(), X_OK) == 0) return {};
  return fail(ErrorCode::daemon_unavailable, "the Python of this environment is gone: " + python.string(),
              "Create the virtual environment again, and install stest in it.");
}

std::optional<std::string> other_environment(const fs::path& own, const Project& project) {
  if (!value_of(project.env, python_variable).empty()) return std::nullopt;
  const auto meant = meant_environment(project);
  if (!meant || environment_of(meant->python) == environment_of(own)) return std::nullopt;
  const std::string variable = python_variable;
  return "the tests run with " + own.string() + ", and not in the environment of " + meant->by + "; " +
         variable + "=" + meant->python.string() + " (or `stest run --python`) chooses that one, " +
         variable + "=" + own.string() + " this one";
}

}  // namespace stest
