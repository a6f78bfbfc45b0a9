#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command_line/help.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace stest {

/// CLI11's parser of one command, which writes to `options`; these must live longer. Its help and its errors
/// are for people: they name no types and ranges of C++.
std::unique_ptr<CLI::App> command_app(const CommandInfo& command, Options& options);

/// False for a flag.
bool takes_value(const CLI::Option& option);

/// An option of a command, or a positional argument, as its parser has it.
struct OptionInfo {
  std::vector<std::string> names;  ///< "-n" and "--lines"; of a positional argument "SHELL".
  std::string value;               ///< "LINES", or "bash|zsh|fish" for one of a few; empty for a flag.
  std::string description;

  bool is_positional() const { return names.front().front() != '-'; }
};

std::vector<OptionInfo> options_of(const CommandInfo& command);

}  // namespace stest
