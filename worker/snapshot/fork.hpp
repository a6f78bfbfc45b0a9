#pragma once

#include <sys/types.h>
#include <unistd.h>

namespace stest {

/// `fork()` with all that CPython does around it (import lock, `os.register_at_fork` hooks, reseeding
/// of `random`). C's and Python's output buffers are flushed first, so that nothing is written twice.
/// In the child the signals that the zygote handles are back to their defaults.
pid_t fork_python();

/// The same for a process in which tests will run. As one that a shell script has started, it leads neither
/// its session nor its process group, and these are nobody else's; it ends with its parent, which is this
/// process or the one that this process is a child of, and must be a child subreaper.
///
/// Only the child of a session's leader can be in it without leading it. That leader shares this process's
/// memory and ends at once: the fork costs what one costs.
pid_t fork_run(pid_t parent = ::getpid());

/// Makes SIGCHLD wake a poll: returns a descriptor that becomes readable when a child ended. To be
/// called once, after Python has started (Python must see SIGCHLD's default, as in any process).
int sigchld_fd();

/// Empties the descriptor of `sigchld_fd`.
void drain_sigchld();

}  // namespace stest
