#pragma once

#include <string>

#include "cli/command_line/options.hpp"

namespace stest {

/// The script with which a shell completes command lines of stest: commands, their options, files, and after
/// "FILE::" node ids, for which it calls `stest __nodeids`.
std::string completions(Shell shell);

}  // namespace stest
