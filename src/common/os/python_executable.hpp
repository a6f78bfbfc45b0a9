#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// Names the interpreter that runs the tests, if it is not stest's own.
inline constexpr const char* python_variable = "SPRINTEST_PYTHON";

/// The interpreter of the installation whose executables are in `folder`: `python3` or `python` there, else
/// the one that stest was built for, or with a wheel that of its version on `PATH`. Links are not resolved,
/// because `bin/python` identifies a virtual environment.
std::filesystem::path python_executable(const std::filesystem::path& folder);

/// The interpreter that runs the tests: `SPRINTEST_PYTHON`, an absolute path, else the one above.
std::filesystem::path python_executable(const std::filesystem::path& folder, const Environment& env);

/// `python3` or `python` in `folder`; nothing if neither can be executed.
std::optional<std::filesystem::path> python_in(const std::filesystem::path& folder);

/// The first file of that name that `PATH` in `env` leads to.
std::optional<std::filesystem::path> find_command(const std::string& name, const Environment& env);

/// The interpreter that `name` means: a path from `base`, the folder of a virtual environment, or a command.
/// For all interpreters of one virtual environment it is the same path. Nothing if there is none.
std::optional<std::filesystem::path> find_python(const std::string& name, const std::filesystem::path& base,
                                                 const Environment& env);

/// Equal for two interpreters of one environment: the folder of the virtual environment, else the interpreter
/// itself, with links resolved.
std::filesystem::path environment_of(const std::filesystem::path& python);

}  // namespace stest
