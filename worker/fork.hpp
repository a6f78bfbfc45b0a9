#pragma once

#include <sys/types.h>

namespace stest {

/// `fork()` with all that CPython does around it (import lock, `os.register_at_fork` hooks, reseeding
/// of `random`). C's and Python's output buffers are flushed first, so that nothing is written twice.
/// In the child the signals that the zygote handles are back to their defaults.
pid_t fork_python();

/// Makes SIGCHLD wake a poll: returns a descriptor that becomes readable when a child ended. To be
/// called once, after Python has started (Python must see SIGCHLD's default, as in any process).
int sigchld_fd();

/// Empties the descriptor of `sigchld_fd`.
void drain_sigchld();

}  // namespace stest
