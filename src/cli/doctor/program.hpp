#pragma once

#include <chrono>
#include <string>

#include "common/os/process.hpp"

namespace stest {

/// How a short-lived program ended and what it wrote.
struct ProgramEnd {
  ExitStatus status;
  std::string out;
  std::string err;
  bool is_late = false;  ///< It was killed, with its process group, because its time was over.
};

/// Runs a program to its end, with stdin from /dev/null; its time is over after `limit`. Its own session;
/// it dies with the caller. Errors: it cannot be started.
Result<ProgramEnd> run_program(SpawnOptions options, std::chrono::milliseconds limit);

}  // namespace stest
