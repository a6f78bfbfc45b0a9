#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>

namespace stest {

/// `fork()` with everything that CPython does around it (import lock, `os.register_at_fork` hooks, a new seed
/// for `random`). The output buffers of C are flushed first, so that nothing is written twice. In the child
/// SIGCHLD has its default action.
pid_t fork_python();

/// The same for a process that will run tests. Like a process that a shell script has started, it leads
/// neither its session nor its process group, and no other process is in them. It ends with `parent`, which
/// must be this process or its parent, and a child subreaper.
///
/// Only a child of the leader can be in a new session without leading it. The leader shares the memory of
/// this process (`vfork`) and ends at once, so this costs no more than one fork.
pid_t fork_run(pid_t parent = ::getpid());

/// Returns a descriptor that becomes readable when a child has ended. The first call installs the handler of
/// SIGCHLD. It must come after Python has started, which must find the default action, as in any process.
int sigchld_fd();

/// Empties the descriptor of `sigchld_fd`.
void drain_sigchld();

/// Whether a child ends within this time. It is not reaped.
bool await_end(pid_t pid, std::chrono::milliseconds patience);

}  // namespace stest
