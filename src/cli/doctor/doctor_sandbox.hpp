#pragma once

#include "cli/doctor/finding.hpp"
#include "common/os/runtime_paths.hpp"

namespace stest {

/// Makes the system calls of client, daemon and worker with a separate socket in the same folder. Reports the
/// call that is denied.
Finding check_socket(const RuntimePaths& paths);

}  // namespace stest
