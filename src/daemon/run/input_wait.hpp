#pragma once

#include "stest/messages.hpp"

namespace stest {

/// Whether a run waits for input, as at a prompt: process `pid`, or a child that it waits for, is blocked in
/// a read of the client's terminal or stdin, or a program reads single keys from that terminal. False if the
/// kernel does not tell.
bool waits_for_input(const RunRequest& request, int pid);

}  // namespace stest
