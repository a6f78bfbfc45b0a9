#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json/line_channel.hpp"
#include "common/os/fd.hpp"
#include "stest/protocol.hpp"
#include "worker/python/environment_changes.hpp"
#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/stand_ins.hpp"
#include "worker/snapshot/written_pages.hpp"

namespace stest {

/// Runs one request in this freshly forked process, and ends the process with pytest's exit code.
/// `fds` are stdin, stdout, stderr, the event pipe and the stack pipe, as they came with the request.
/// Python's own after-fork work has been done. `written`: what the last such process has written to, to be
/// recorded anew; nullptr is not.
[[noreturn]] void run_in_this_process(const protocol::RunTest& request, std::vector<Fd> fds,
                                      FlightRecorder recorder, const EnvironmentChanges& changes,
                                      std::shared_ptr<WrittenPages> written = nullptr);

/// A request, and what travelled with it.
struct ReceivedRun {
  protocol::RunTest request;
  std::vector<Fd> fds;
};
/// Blocks for the next one; nothing when the channel closes, or something else comes.
std::optional<ReceivedRun> receive_run(LineChannel& channel);
/// Tells the zygote that this process, forked ahead, has taken the run; the channel's last use.
void say_begun(LineChannel& channel);

/// Runs one request after another in this freshly forked process, as they come through `channel`, and
/// answers each with `Done`; ends the process when the channel closes, or when a run has left what
/// cannot be undone, then with that run's exit code and without an answer.
[[noreturn]] void serve_runs(LineChannel& channel, FlightRecorder recorder, std::uint64_t memory_limit,
                             const EnvironmentChanges& changes);

/// The same ahead of the request, which then comes through `channel`; see `Snapshot`.
/// `stand_ins`: for its streams. `likes_cuda_since_ns`: when a run began that would not have told whether
/// CUDA had been initialised ahead of it; it then is, if no file that has been read until the tests are
/// collected was written since. `written` is had ahead, and recorded anew.
[[noreturn]] void prime_in_this_process(LineChannel& channel, Fd inotify, StandIns stand_ins,
                                        const protocol::RunTest& request,
                                        std::optional<std::uint64_t> likes_cuda_since_ns,
                                        std::shared_ptr<WrittenPages> written, FlightRecorder recorder,
                                        const EnvironmentChanges& changes);

/// What the daemon hears of a run whose process ended with this wait status.
protocol::Done end_of_run(std::uint64_t id, const FlightRecorder& recorder, int status);
/// What it hears of a run that could not be started.
protocol::Done could_not_run(std::uint64_t id, std::string why);

/// For a process that waits: when memory runs out it goes first, it is soon made anew.
void be_first_to_go();

}  // namespace stest
