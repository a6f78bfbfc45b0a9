#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/snapshot_process.hpp"

namespace stest {

/// The channel and the flight recorder between a fork of a snapshot and the zygote, as the snapshot makes
/// them.
struct Link {
  Fd zygotes, own;  ///< The ends of the fork's channel.
  Fd memory;        ///< The fork's flight recorder.
  FlightRecorder recorder;
};
/// Makes a link. Nothing: out of descriptors or memory.
std::optional<Link> make_link();

/// A process that a snapshot has forked, as a child of the zygote.
struct Forked {
  pid_t pid;
  FlightRecorder recorder;
  Fd channel = {};  ///< To a process that goes on ahead of its request.
};
/// Makes it from the snapshot's message. Nothing: it is another message, or out of memory.
std::optional<Forked> forked(SnapshotProcess::Said said);

/// Makes a snapshot fork a process that begins the run, or goes on ahead of its request. Waits for the
/// answer. Nothing: the snapshot is outdated, has ended, or cannot serve the run.
std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::RunTest& request,
                                const std::vector<Fd>& fds);
std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::GoOn& message,
                                const std::vector<int>& fds);

}  // namespace stest
