#pragma once

#include <exception>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/protocol.hpp"
#include "worker/python/environment_changes.hpp"

namespace stest {

/// Gives this process the streams, folder, umask and place of the request; `fds` begins with stdin, stdout,
/// stderr. Errors: `internal`, a stream or the folder cannot be taken.
Status enter_run(const protocol::RunTest& request, const std::vector<Fd>& fds);
/// Gives it the process attributes of the request, or ends it where it may not. A process that is not fresh
/// has served a run, and may have lost what a fresh one still has.
void take_attributes(const protocol::RunTest& request, bool is_fresh);
/// Gives Python the environment and the ignored signals of the request.
void become_like_client(const protocol::RunTest& request, const EnvironmentChanges& changes);
/// The exit code for an error in stest's own code. Returns only once a test has begun.
int internal_error(const std::exception& error);

}  // namespace stest
