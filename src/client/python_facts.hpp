#pragma once

#include <filesystem>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// What an interpreter reports about itself and what is installed for it.
struct PythonFacts {
  std::string version;
  std::string prefix;
  std::string pytest;          ///< Its version; empty if it cannot be imported.
  std::string pytest_problem;  ///< Why not.
  bool is_shared = false;      ///< Whether libpython is a shared library.
  std::string tag = {};      ///< "cpython-311", "cpython-314t" (free-threaded): who compiled modules are for.
  std::string package = {};  ///< The folder of the package `sprintest`; empty if there is none.
  std::string sprintest = {};  ///< The version of the distribution `sprintest`; empty if there is none.
};

/// Errors: `worker_failed`, with the interpreter's output.
Result<PythonFacts> ask_python(const std::filesystem::path& python, const Environment& env);

/// Whether a worker can run tests with this Python, which the user has chosen. Errors: `config`.
Status check_choice(const std::filesystem::path& python, const Result<PythonFacts>& facts);

/// The folder of stest's own Python package, which a worker needs for a Python without it. `own` is stest's
/// own Python. Errors: `worker_failed` if it is missing.
Result<std::string> own_package(const std::filesystem::path& own, const Environment& env);

}  // namespace stest
