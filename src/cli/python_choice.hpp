#pragma once

#include <optional>
#include <string>

#include "cli/project.hpp"

namespace stest {

/// Makes the Python of `--python`, else of `SPRINTEST_PYTHON`, an absolute path in this process's
/// environment, so that daemon, worker and tests inherit it. A relative path counts from the current folder,
/// that of the variable from the project's root. Errors: `config` if there is no such Python.
Status settle_python(const std::optional<std::string>& option);

/// Errors: `daemon_unavailable` if the Python of the tests is gone: the interpreter behind a virtual
/// environment was removed, and its `python` leads nowhere.
Status require_python();

/// The environment of the project or of the shell, if it is another one than stest's own and nobody has
/// chosen one: one line that says so, and how to choose. VIRTUAL_ENV comes first, then
/// UV_PROJECT_ENVIRONMENT, the project's `.venv`, and the first `python` of PATH. `own` is stest's own
/// Python.
std::optional<std::string> other_environment(const std::filesystem::path& own, const Project& project);

}  // namespace stest
