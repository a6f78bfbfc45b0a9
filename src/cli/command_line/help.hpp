#pragma once

#include <string>
#include <string_view>
#include <vector>

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

const std::vector<CommandInfo>& command_table();

/// Null if `name` is not a command.
const CommandInfo* find_command(std::string_view name);

struct HelpRow {
  std::string_view name;
  std::string_view text;  ///< May have several lines.
};

/// A part of `stest --help`, and of the man page.
struct HelpSection {
  std::string_view title;
  std::string_view manual_title;  ///< In the man page.
  std::size_t width;              ///< The texts begin in this column, below longer names.
  std::vector<HelpRow> rows;
  std::string_view note;  ///< Below the rows; may be empty.
};

const std::vector<HelpSection>& help_sections();

/// What stest does, in one sentence.
std::string_view what_stest_does();

/// The text of `stest --help`.
std::string help_text();

}  // namespace stest
