#pragma once

#include <sys/types.h>

#include <string_view>

#include "worker/runner/event_pipe.hpp"

namespace stest {

/// The signal that asks a process for its stacks. It is in the middle of the real-time signals, because
/// programs use those at either end. SIGUSR1 and SIGUSR2 are left to the tests.
int stack_signal();

/// Makes this process answer `request_stack` on `pipe`: it calls `dump`, which must be a signal handler that
/// writes to `pipe`, and then writes a NUL. If another process than the parent sends the signal, it ends this
/// process as usual. If the tests have closed the pipe, there is no answer. May be called again.
void answer_stack_requests(EventPipe pipe, void (*dump)(int));

/// Asks `pid`, a child of this process that is not reaped yet, for its stacks. Does nothing if the process
/// would not answer: it has no handler yet, runs another program, or blocks the signal.
void request_stack(pid_t pid);

/// Whether the contents of a /proc/PID/status say that the main thread has a handler for this signal, and
/// does not block it.
bool takes_signal(std::string_view status, int signal);

}  // namespace stest
