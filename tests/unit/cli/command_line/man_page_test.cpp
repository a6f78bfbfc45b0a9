#include "cli/command_line/man_page.hpp"

#include <gtest/gtest.h>

#include "cli/command_line/help.hpp"

namespace stest {
namespace {

TEST(ManPageTest, HasEverySectionAndCommand) {
  const auto page = man_page();
  EXPECT_EQ(page.rfind(".TH STEST 1 ", 0), 0u);
  for (const auto* section : {"NAME", "\"SYNOPSIS\"", "\"COMMANDS\"", "DESCRIPTION", "\"OPTIONS\"",
                              "\"EXAMPLES\"", "\"EXIT STATUS\"", "\"ENVIRONMENT\""}) {
    EXPECT_NE(page.find("\n.SH " + std::string(section) + "\n"), page.npos) << section;
  }
  for (const auto& command : command_table()) {
    EXPECT_NE(page.find("\n.SS \"stest " + std::string(command.name) + "\"\n"), page.npos) << command.name;
  }
  EXPECT_NE(page.find("\\fB\\-\\-stuck\\-after DURATION\\fR\n"), page.npos);
}

TEST(ManPageTest, IsAsciiAndStartsNoRequestByAccident) {
  const auto page = man_page();
  for (const unsigned char letter : page) EXPECT_TRUE(letter == '\n' || (letter >= ' ' && letter < 127));
  EXPECT_EQ(page.find("\n'"), page.npos);
  for (std::size_t at = page.find("\n."); at != page.npos; at = page.find("\n.", at + 1)) {
    const auto request = page.substr(at + 2, 2);
    EXPECT_TRUE(request == "TP" || request == "SH" || request == "SS" || request == "PP" || request == "nf" ||
                request == "fi")
        << page.substr(at, 40);
  }
}

}  // namespace
}  // namespace stest
