#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "daemon/run/run_tally.hpp"
#include "stest/error.hpp"

namespace stest {

/// Completes the file for pytest's `--lf`, if pytest died before it wrote the file. Adds failed tests and
/// `nodeid`, the test during which pytest died (may be empty). Removes passed tests, and keeps those that did
/// not run. An unreadable file counts as empty, as for pytest. `umask` is that of the run. Errors:
/// `internal`.
Status complete_last_failed(const std::filesystem::path& file, const RunTally& tally,
                            const std::string& nodeid, mode_t umask);

}  // namespace stest
