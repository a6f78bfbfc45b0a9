#pragma once

#include <sys/types.h>

#include <string_view>

#include "worker/runner/event_pipe.hpp"

namespace stest {

/// The signal by which a process is asked for its stacks: from the middle of the real-time signals, which
/// programs take from either end; SIGUSR1 and SIGUSR2 are the tests' own.
int stack_signal();

/// Has this process answer `request_stack` on `pipe`: with `dump`, which must be a signal handler that
/// writes to `pipe`, and a NUL. From anybody but this process's parent the signal keeps its usual effect,
/// which is the end. Where the tests have closed the pipe there is no answer. May be called again.
void answer_stack_requests(EventPipe pipe, void (*dump)(int));

/// Asks `pid`, a child of this process that is not collected yet. Does nothing where the signal would not
/// be answered: a process that has not got so far, runs another program, or has blocked the signal.
void request_stack(pid_t pid);

/// Whether a /proc/PID/status says that the main thread takes this signal by a handler, at once.
bool takes_signal(std::string_view status, int signal);

}  // namespace stest
