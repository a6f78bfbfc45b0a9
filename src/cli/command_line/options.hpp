#pragma once

#include <string>
#include <vector>

#include "cli/run/cancel_run.hpp"
#include "cli/run/run.hpp"

namespace stest {

enum class Action {
  run,
  python,
  verify,
  last,
  history,
  mcp,
  hook,
  status,
  ps,
  cancel,
  stop,
  start,
  restart,
  logs,
  doctor,
  completions,
  man,
  help,
  version,
  node_ids,  ///< `stest __nodeids`, for the completions.
  print,
};

enum class Shell { bash, zsh, fish };

/// A parsed command line.
struct Options {
  Action action = Action::run;
  RunOptions run;
  std::vector<std::string> python_args;  ///< Of `python`, unchanged.
  CancelOptions cancel;
  bool json = false;                     ///< `status --json`, `ps --json`, `doctor --json`
  bool modules = false;                  ///< `status --json --modules`
  bool failed = false;                   ///< `last --failed`
  std::optional<std::int64_t> past_run;  ///< `last ID`
  bool all = false;                      ///< `stop --all`
  bool follow = false;                   ///< `logs -f`
  int lines = 50;                        ///< `logs -n`
  Shell shell = Shell::bash;             ///< `completions SHELL`
  /// What `print` prints: a help text, the version, a script. The command of `help`. The test of `history`.
  /// What the node ids of `node_ids` begin with.
  std::string text;
  std::string notice;  ///< A line to show before anything else; may be empty.
};

/// Parses the arguments after the program's name. Only the first one can be a command, `--help`, `-h` or
/// `--version`. If it is none of these, all arguments are pytest's, except where the first one can only be a
/// mistake: a misspelt command, if no file has that name, or an option of `stest run`. To know this, and for
/// the notice, it looks for files in the current folder.
///
/// Errors: `usage`.
Result<Options> parse_options(const std::vector<std::string>& args);

}  // namespace stest
