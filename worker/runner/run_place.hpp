#pragma once

#include <sys/types.h>

#include "stest/process_attributes.hpp"

namespace stest {

/// The session and the process group of a run. `fork_run` says how they are at the start.

/// Makes this process lead a session, because only a leader can take a terminal. From then on `setpgid`
/// allows what the kernel allows every process except a session's leader: to become the leader of its group.
/// Returns whether the process leads a session.
bool lead_session_for_terminal();

/// Makes this process lead a session or a group if the client does.
void lead_as_client(Leads leads);

/// Sends a signal to the process group of that run, as a terminal does, so that children of the tests get it
/// too. SIGKILL goes to `pid` alone; its leftovers end as after any run. `pid` must not be reaped yet.
void signal_run(pid_t pid, int signal);

}  // namespace stest
