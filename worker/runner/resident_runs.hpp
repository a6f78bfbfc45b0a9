#pragma once

#include "common/json/line_channel.hpp"
#include "worker/python/environment_changes.hpp"
#include "worker/runner/flight_recorder.hpp"

namespace stest {

/// Runs one request after another in this freshly forked process, as they come through `channel`, and
/// answers each with `Done`; ends the process when the channel closes, or when a run has left what
/// cannot be undone, then with that run's exit code and without an answer.
[[noreturn]] void serve_runs(LineChannel& channel, FlightRecorder recorder, std::uint64_t memory_limit,
                             const EnvironmentChanges& changes);

}  // namespace stest
