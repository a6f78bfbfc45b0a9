#include "cli/command_line/command_app.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace stest {
namespace {

TEST(CommandAppTest, TellsTheOptionsOfACommand) {
  const auto options = options_of(*find_command("logs"));
  ASSERT_EQ(options.size(), 3u);
  EXPECT_EQ(options[0].names, (std::vector<std::string>{"-h", "--help"}));
  EXPECT_EQ(options[1].names, (std::vector<std::string>{"-f", "--follow"}));
  EXPECT_EQ(options[1].value, "");
  EXPECT_EQ(options[2].names, (std::vector<std::string>{"-n", "--lines"}));
  EXPECT_EQ(options[2].value, "LINES");
}

TEST(CommandAppTest, APositionalArgumentHasNoDashes) {
  const auto options = options_of(*find_command("completions"));
  ASSERT_EQ(options.size(), 2u);
  EXPECT_TRUE(options[1].is_positional());
  EXPECT_EQ(options[1].names, std::vector<std::string>{"SHELL"});
  EXPECT_EQ(options[1].value, "bash|zsh|fish");
}

TEST(CommandAppTest, NoHelpShowsTheInsideOfTheParser) {
  for (const auto& command : command_table()) {
    Options options;
    const auto help = command_app(command, options)->help();
    for (const auto* inside :
         {"Excludes", "Needs", "->", "{", "UINT", "INT", "TEXT", "POSITIVE", " in [", "="}) {
      EXPECT_EQ(help.find(inside), help.npos) << help;
    }
    for (const auto& option : options_of(command)) {
      for (const auto& name : option.names) EXPECT_NE(help.find(name), help.npos) << help;
      EXPECT_FALSE(option.description.empty()) << option.names.front();
    }
  }
}

}  // namespace
}  // namespace stest
