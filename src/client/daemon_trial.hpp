#pragma once

#include "common/status_file.hpp"

namespace stest {

/// Asks a daemon for its status, in a process of its own: a sandbox may end who connects. Errors:
/// `daemon_unavailable`, with what stands in the way.
Status try_out(const Endpoint& endpoint);

}  // namespace stest
