#pragma once

#include "cli/run/run.hpp"
#include "stest/config.hpp"

namespace stest {

/// It acts if STEST_BRIEF names the folder for its logs.
inline constexpr const char* brief_plugin = "sprintest.run._brief";

/// Whether the run is to be reported in few words: `--report`, else SPRINTEST_REPORT, else whether a coding
/// agent runs stest and no argument of pytest shapes the output. Errors: `usage`.
Result<bool> is_brief(const RunOptions& options, const Environment& env);

/// Adds to the arguments, and to this process's environment, what makes pytest report so
/// (`sprintest/run/_brief.py`). Errors: as above.
Status settle_report(RunOptions& options);

}  // namespace stest
