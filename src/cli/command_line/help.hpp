#pragma once

#include <string>
#include <string_view>

#include "cli/command_line/options.hpp"

namespace stest {

/// One row of the table of commands.
struct CommandInfo {
  std::string_view name;
  Action action;
  std::string_view summary;      ///< For the list in `stest --help`.
  std::string_view description;  ///< For `stest COMMAND --help`.
  std::string_view footer;       ///< Examples, below its options.
};

/// Null if `name` is not a command.
const CommandInfo* find_command(std::string_view name);

/// The text of `stest --help`.
std::string help_text();

}  // namespace stest
