#include "cli/command_line/completions.hpp"

#include <gtest/gtest.h>

#include "cli/command_line/command_app.hpp"

namespace stest {
namespace {

TEST(CompletionsTest, EveryShellKnowsEveryCommandAndOption) {
  for (const auto shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const auto script = completions(shell);
    for (const auto& command : command_table()) {
      EXPECT_NE(script.find(command.name), script.npos) << command.name;
      for (const auto& option : options_of(command)) {
        if (option.is_positional()) continue;
        const auto name = option.names.back();
        const auto bare = name.substr(name.find_first_not_of('-'));
        EXPECT_NE(script.find(bare), script.npos) << name;
      }
    }
    EXPECT_NE(script.find("__nodeids"), script.npos);
    EXPECT_EQ(script.find("COMMANDS"), script.npos);
    EXPECT_EQ(script.find("CASES"), script.npos);
  }
}

TEST(CompletionsTest, AChoiceOffersItsValues) {
  EXPECT_NE(completions(Shell::bash).find("cancel:--how) candidates='interrupt terminate kill'"),
            std::string::npos);
  EXPECT_NE(completions(Shell::zsh).find("(interrupt terminate kill)"), std::string::npos);
  EXPECT_NE(completions(Shell::fish).find("-l how -a 'interrupt terminate kill' -x"), std::string::npos);
}

}  // namespace
}  // namespace stest
