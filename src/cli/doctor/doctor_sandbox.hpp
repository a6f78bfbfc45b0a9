#pragma once

#include "cli/doctor/finding.hpp"
#include "common/os/runtime_paths.hpp"

namespace stest {

/// Does, with a socket of its own beside the daemon's, what client, daemon and worker do with theirs; and
/// says which system call is denied here.
Finding check_socket(const RuntimePaths& paths);

}  // namespace stest
