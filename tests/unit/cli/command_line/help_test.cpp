#include "cli/command_line/help.hpp"

#include <gtest/gtest.h>

#include "stest/config.hpp"

namespace stest {
namespace {

TEST(HelpTest, NamesEveryVariable) {
  for (const auto& key : config_keys()) {
    if (!key.variable.empty()) {
      EXPECT_NE(help_text().find(key.variable), std::string::npos) << key.variable;
    }
  }
}

TEST(HelpTest, NamesEveryExitCodeOfStestsOwn) {
  for (int code = static_cast<int>(ExitCode::internal_error); code <= static_cast<int>(ExitCode::unsound);
       ++code) {
    EXPECT_NE(help_text().find("\n  " + std::to_string(code) + "  "), std::string::npos) << code;
  }
}

TEST(HelpTest, NamesEveryCommand) {
  for (const auto& command : command_table()) {
    EXPECT_NE(help_text().find("\n  " + std::string(command.name) + "  "), std::string::npos) << command.name;
  }
}

TEST(HelpTest, NamesTheValuesOfIsolation) {
  EXPECT_NE(help_text().find("fork: each run is a separate process; resident: one for all"),
            std::string::npos);
}

TEST(HelpTest, FitsATerminal) {
  const auto text = help_text();
  for (std::size_t start = 0, end; (end = text.find('\n', start)) != text.npos; start = end + 1) {
    EXPECT_LE(end - start, 95u) << text.substr(start, end - start);
  }
}

TEST(HelpTest, AnUnknownNameIsNoCommand) {
  EXPECT_EQ(find_command("tests"), nullptr);
  EXPECT_EQ(find_command(""), nullptr);
}

}  // namespace
}  // namespace stest
