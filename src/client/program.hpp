#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
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

/// "was ended by SIGSEGV", "ended with exit code 3".
std::string how_it_ended(const ExitStatus& status);

/// "PROGRAM ended with exit code 3, and wrote: …", with the last line of its stderr.
std::string how_it_ended(const std::filesystem::path& program, const ProgramEnd& end);

std::string last_line(std::string text);

/// The JSON object in the last line of a program's output. Errors: `worker_failed`.
Result<nlohmann::json> answer_of(const std::filesystem::path& program, const Result<ProgramEnd>& end);

/// A field of such an object; empty if it is missing.
std::string string_field(const nlohmann::json& object, const char* key);

}  // namespace stest
