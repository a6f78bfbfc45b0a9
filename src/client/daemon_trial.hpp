#pragma once

#include "common/status_file.hpp"

namespace stest {

/// Asks a daemon for its status, in a separate process, because a sandbox may kill a process that connects.
/// Errors: `daemon_unavailable`, with the reason.
Status try_out(const Endpoint& endpoint);

}  // namespace stest
