#pragma once

#include <map>
#include <string>

#include "stest/protocol.hpp"
#include "worker/python/environment_changes.hpp"

namespace stest {

/// Runs the program that the request names in this process, as `python` does, to the end of `atexit`. Returns
/// its exit code, or ends the process by the signal by which `python` would end. If this process cannot do
/// it, it becomes that `python`.
int run_program(const protocol::RunTest& request, const EnvironmentChanges& changes);

/// Replaces this process, in which the program has done nothing yet, by `python` itself.
[[noreturn]] void become_python();

/// Replaces fields of `sys.flags`.
void set_flags(const std::map<std::string, int>& values);

}  // namespace stest
