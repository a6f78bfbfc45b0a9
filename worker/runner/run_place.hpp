#pragma once

#include <sys/types.h>

#include "stest/process_attributes.hpp"

namespace stest {

/// Which session and group the process of a run is in; see `fork_run` for where it begins.

/// Makes this process lead a session, unless it does: only a leader can take a terminal. From then on
/// `setpgid` lets it make itself the leader of its group, as any process but a session's leader may: the
/// client led none. Returns whether it leads one now.
bool lead_session_for_terminal();

/// Has this process lead what the client leads, as far as the tests could tell.
void lead_as_client(Leads leads);

/// Sends a signal to the group of that run, as a terminal would: the tests' own children get it as well.
/// SIGKILL is for the run alone: what it leaves ends as after any run. `pid` is not collected yet.
void signal_run(pid_t pid, int signal);

}  // namespace stest
