#include "cli/command_line/man_page.hpp"

#include <gtest/gtest.h>

#include "cli/command_line/help.hpp"

namespace stest {
namespace {

TEST(ManPageTest, HasEverySectionAndCommand) {
  const auto text = man_page();
  EXPECT_EQ(text.rfind(".TH STEST 1 ", 0), 0u);
  for (const auto* section : {"NAME", "\"SYNOPSIS\"", "\"COMMANDS\"", "DESCRIPTION", "\"OPTIONS\"",
                              "\"EXAMPLES\"", "\"EXIT STATUS\"", "\"ENVIRONMENT\""}) {
    EXPECT_NE(text.find("\n.SH " + std::string(section) + "\n"), text.npos) << section;
  }
  for (const auto& command : command_table()) {
    EXPECT_NE(text.find("\n.SS \"stest " + std::string(command.name) + "\"\n"), text.npos) << command.name;
  }
  EXPECT_NE(text.find("\\fB\\-\\-stuck\\-after DURATION\\fR\n"), text.npos);
}

TEST(ManPageTest, IsAsciiAndStartsNoRequestByAccident) {
  const auto text = man_page();
  for (const unsigned char letter : text) EXPECT_TRUE(letter == '\n' || (letter >= ' ' && letter < 127));
  EXPECT_EQ(text.find("\n'"), text.npos);
  for (std::size_t at = text.find("\n."); at != text.npos; at = text.find("\n.", at + 1)) {
    const auto request = text.substr(at + 2, 2);
    EXPECT_TRUE(request == "TP" || request == "SH" || request == "SS" || request == "PP" || request == "nf" ||
                request == "fi")
        << text.substr(at, 40);
  }
}

}  // namespace
}  // namespace stest
