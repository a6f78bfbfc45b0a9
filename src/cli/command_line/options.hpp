#pragma once

#include <string>
#include <vector>

#include "cli/run/cancel_run.hpp"
#include "cli/run/run.hpp"

namespace stest {

enum class Action { run, verify, status, cancel, stop, start, restart, logs, doctor, print };

/// A parsed command line.
struct Options {
  Action action = Action::run;
  RunOptions run;
  CancelOptions cancel;
  bool json = false;    ///< `status --json`, `doctor --json`
  bool follow = false;  ///< `logs -f`
  int lines = 50;       ///< `logs -n`
  std::string text;     ///< What `print` prints: a help text or the version.
};

/// Parses the arguments after the program's name. Only the first one can be a command, `--help`, `-h` or
/// `--version`. If it is none of these, all arguments are pytest's.
///
/// Errors: `usage`.
Result<Options> parse_options(const std::vector<std::string>& args);

}  // namespace stest
