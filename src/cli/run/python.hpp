#pragma once

#include <string>
#include <vector>

#include "cli/terminal/console.hpp"

namespace stest {

/// Without the one option that is stest's own.
std::vector<std::string> args_of_python(std::vector<std::string> args);

/// Whether a fork of a running interpreter can do what `python` does with these arguments. `has_prompt`:
/// stdin is a terminal, so that Python without a program would show a prompt.
bool can_be_forked(const std::vector<std::string>& args, bool has_prompt);

/// Runs a program in the project's daemon, as `python` does with these arguments, and returns its exit code;
/// if a signal ended it, this process ends by the same. The program has this process's own stdin, stdout and
/// stderr, and gets the signals that this process gets. If the daemon cannot run it, this process becomes
/// `python`, and says nothing.
int run_python(const std::vector<std::string>& args, Console& console);

}  // namespace stest
