#pragma once

#include <chrono>
#include <string>

#include "common/os/process.hpp"

namespace stest {

/// How a program ended, and what it wrote.
struct ProgramEnd {
  ExitStatus status;
  std::string out;
  std::string err;
  bool is_late = false;  ///< It exceeded its time, and was killed with its process group.
};

/// Runs a program to its end, at most for `limit`, in a new session and with stdin from /dev/null. It is
/// killed if the caller ends. Errors: it cannot be started.
Result<ProgramEnd> run_program(SpawnOptions options, std::chrono::milliseconds limit);

}  // namespace stest
