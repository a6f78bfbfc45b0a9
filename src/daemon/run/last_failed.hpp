#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "daemon/run/run_tally.hpp"
#include "stest/error.hpp"

namespace stest {

/// Completes the file from which pytest's `--lf` selects, in place of a pytest that died before it wrote it:
/// what failed is added, and so is `nodeid`, the test to blame, if there is one; what passed is taken off;
/// what did not run is kept. An unreadable file counts as empty, as for pytest.
///
/// `umask`: of the run. Errors: `internal`.
Status complete_last_failed(const std::filesystem::path& file, const RunTally& tally,
                            const std::string& nodeid, mode_t umask);

}  // namespace stest
