#include "cli/terminal/presentation.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using Wish = std::optional<bool>;

TEST(PresentationTest, ColourIsWishedForAsPytestUnderstandsIt) {
  EXPECT_EQ(colour_wish({}, {}), Wish());
  EXPECT_EQ(colour_wish({"--color=yes"}, {}), Wish(true));
  EXPECT_EQ(colour_wish({"--color", "no"}, {}), Wish(false));
  EXPECT_EQ(colour_wish({"--color=yes", "--color=no"}, {}), Wish(false));
  EXPECT_EQ(colour_wish({"--color=auto"}, {}), Wish());
  EXPECT_EQ(colour_wish({"--", "--color=yes"}, {}), Wish());
  EXPECT_EQ(colour_wish({"--colorful=yes", "--color"}, {}), Wish());
  EXPECT_EQ(colour_wish({}, {{"FORCE_COLOR", "1"}}), Wish(true));
  EXPECT_EQ(colour_wish({}, {{"FORCE_COLOR", ""}}), Wish());
  EXPECT_EQ(colour_wish({}, {{"FORCE_COLOR", "1"}, {"NO_COLOR", "1"}}), Wish(false));
  EXPECT_EQ(colour_wish({}, {{"NO_COLOR", "1"}, {"PY_COLORS", "1"}}), Wish(true));
  EXPECT_EQ(colour_wish({}, {{"FORCE_COLOR", "1"}, {"PY_COLORS", "0"}}), Wish(false));
  EXPECT_EQ(colour_wish({"--color=yes"}, {{"NO_COLOR", "1"}}), Wish(true));
  EXPECT_EQ(colour_wish({}, {{"PYTEST_ADDOPTS", "-q --color=yes"}}), Wish(true));
  EXPECT_EQ(colour_wish({"--color=no"}, {{"PYTEST_ADDOPTS", "--color=yes"}}), Wish(false));
}

TEST(PresentationTest, AgentsAreKnownByTheirVariables) {
  EXPECT_EQ(agent_variable({{"TERM", "xterm"}, {"CLAUDECODE", ""}}), "");
  for (const std::string name :
       {"AI_AGENT", "AMP_CURRENT_THREAD_ID", "ANTIGRAVITY_AGENT", "AUGMENT_AGENT", "CLAUDECODE",
        "CLINE_ACTIVE", "CODEX_CI", "CODEX_SANDBOX", "CODEX_THREAD_ID", "COPILOT_CLI", "CURSOR_AGENT",
        "GEMINI_CLI", "GOOSE_TERMINAL", "OPENCODE", "PI_CODING_AGENT"}) {
    EXPECT_EQ(agent_variable({{name, "1"}}), name);
  }
}

TEST(PresentationTest, OnATerminalThereIsColourAndMotion) {
  const Circumstances terminal{false, {}, true, true};
  const auto shown = presentation(terminal, {{"TERM", "xterm"}});
  EXPECT_FALSE(shown.plain);
  EXPECT_TRUE(shown.colour);
  EXPECT_TRUE(shown.animated);
  EXPECT_FALSE(presentation(terminal, {{"NO_COLOR", "1"}}).colour);
  EXPECT_TRUE(presentation(terminal, {{"NO_COLOR", "1"}}).animated);
  const auto dumb = presentation(terminal, {{"TERM", "dumb"}});
  EXPECT_FALSE(dumb.colour);
  EXPECT_FALSE(dumb.animated);
  EXPECT_FALSE(presentation({false, {"--color=no"}, true, true}, {}).colour);
}

TEST(PresentationTest, ElsewhereThereIsNeitherUnlessColourIsAskedFor) {
  const auto piped = presentation({}, {{"TERM", "xterm"}});
  EXPECT_FALSE(piped.plain);
  EXPECT_FALSE(piped.colour);
  EXPECT_FALSE(piped.animated);
  EXPECT_TRUE(presentation({}, {{"FORCE_COLOR", "1"}}).colour);
  EXPECT_FALSE(presentation({}, {{"FORCE_COLOR", "1"}}).animated);
}

TEST(PresentationTest, PlainWinsOverColourAndTerminal) {
  const auto shown = presentation({true, {"--color=yes"}, true, true}, {});
  EXPECT_TRUE(shown.plain);
  EXPECT_FALSE(shown.colour);
  EXPECT_FALSE(shown.animated);
}

TEST(PresentationTest, AnAgentGetsPlainTextUnlessItHasATerminalOrWantsColour) {
  const Environment agent{{"CLAUDECODE", "1"}};
  EXPECT_TRUE(presentation({}, agent).plain);
  EXPECT_FALSE(presentation({false, {}, true, true}, agent).plain);
  EXPECT_FALSE(presentation({false, {"--color=yes"}, false, false}, agent).plain);
  EXPECT_TRUE(presentation({false, {"--color=no"}, false, false}, agent).plain);
}

}  // namespace
}  // namespace stest
