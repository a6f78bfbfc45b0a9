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
/// Python's functions for after a fork must have run. The run's written pages are recorded in `written`, if
/// it is not null.
[[noreturn]] void run_in_this_process(const protocol::RunTest& request, std::vector<Fd> fds,
                                      FlightRecorder recorder, const EnvironmentChanges& changes,
                                      std::shared_ptr<WrittenPages> written = nullptr);

/// A request, and the descriptors that came with it.
struct ReceivedRun {
  protocol::RunTest request;
  std::vector<Fd> fds;
};
/// Waits for the next request. Nothing: the channel was closed, or another message came.
std::optional<ReceivedRun> receive_run(LineChannel& channel);
/// Tells the zygote that this process, forked ahead, has taken the run, and closes the channel.
void say_begun(LineChannel& channel);

/// Does the same ahead of the request, which then comes through `channel`; see `Snapshot`.
/// `stand_ins` take the place of its streams. `likes_cuda_since_ns` is the start of an earlier run that would
/// not have noticed if CUDA had been initialised ahead of it. Then CUDA is initialised once the tests are
/// collected, unless a file that was opened until then has been written since that time. The pages in
/// `written` are copied ahead, and recorded again.
[[noreturn]] void prime_in_this_process(LineChannel& channel, Fd inotify, StandIns stand_ins,
                                        const protocol::RunTest& request,
                                        std::optional<std::uint64_t> likes_cuda_since_ns,
                                        std::shared_ptr<WrittenPages> written, FlightRecorder recorder,
                                        const EnvironmentChanges& changes);

/// The message about a run whose process has ended with this wait status.
protocol::Done end_of_run(std::uint64_t id, const FlightRecorder& recorder, int status);
/// The message about a run that could not be started.
protocol::Done could_not_run(std::uint64_t id, std::string why);

/// Makes the kernel kill this process first when memory runs out. For processes that wait, because they are
/// quickly made again.
void be_first_to_go();

}  // namespace stest
