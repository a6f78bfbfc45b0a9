#pragma once

#include <vector>

#include "common/fd.hpp"
#include "environment_changes.hpp"
#include "flight_recorder.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// Runs one request in this freshly forked process, and ends the process with pytest's exit code.
/// `fds` are stdin, stdout, stderr and the event pipe, as they came with the request.
/// Python's own after-fork work has been done.
[[noreturn]] void run_in_this_process(const protocol::RunTest& request, std::vector<Fd> fds,
                                      FlightRecorder recorder, const EnvironmentChanges& changes);

}  // namespace stest
