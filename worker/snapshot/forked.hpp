#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/snapshot_process.hpp"

namespace stest {

/// What a snapshot and a fork of it have between them, until the zygote has its part.
struct Link {
  Fd zygotes, own;  ///< The ends of the fork's channel.
  Fd memory;        ///< The fork's flight recorder.
  FlightRecorder recorder;
};
/// Nothing: out of descriptors or memory.
std::optional<Link> make_link();

/// A process that a snapshot has forked, as a child of the zygote.
struct Forked {
  pid_t pid;
  FlightRecorder recorder;
  Fd channel = {};  ///< To one that goes on ahead of its request.
};
/// From what the snapshot says of it.
std::optional<Forked> forked(SnapshotProcess::Said said);

/// Has a snapshot fork a process that begins the run, or goes on ahead of it. Blocks for the answer; nothing
/// where there is none: the snapshot is outdated, or has gone.
std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::RunTest& request,
                                const std::vector<Fd>& fds);
std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::GoOn& message,
                                const std::vector<int>& fds);

}  // namespace stest
