#include "cli/run/report_choice.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

const Environment agent{{"CLAUDECODE", "1"}};

bool brief(const std::vector<std::string>& args, const Environment& env) {
  RunOptions options;
  options.pytest_args = args;
  return is_brief(options, env).value();
}

TEST(ReportChoiceTest, IsBriefForAgentsOnly) {
  EXPECT_FALSE(brief({"tests"}, {{"TERM", "xterm"}}));
  EXPECT_TRUE(brief({}, agent));
}

TEST(ReportChoiceTest, SelectionAndPluginsDoNotShapeTheOutput) {
  EXPECT_TRUE(brief({"tests/a.py::test_x", "-x", "-kqq", "-k", "slow", "-m", "not v", "--lf", "--maxfail=2",
                     "-n", "2", "-p", "no:randomly", "-W", "error", "--junitxml=r.xml", "-"},
                    agent));
}

TEST(ReportChoiceTest, WhoAsksForOutputGetsPytests) {
  for (const std::string arg : {"-v", "-q", "-xvs", "-s", "-rA", "-l", "--tb=short", "--durations=5", "--co",
                                "--cov=pkg", "--color=yes", "--pdb", "--no-header", "--verbosity=2"}) {
    EXPECT_FALSE(brief({"tests", arg}, agent)) << arg;
  }
}

TEST(ReportChoiceTest, TheVariableAndTheOptionComeFirst) {
  EXPECT_FALSE(brief({}, {{"CLAUDECODE", "1"}, {"SPRINTEST_REPORT", "full"}}));
  EXPECT_TRUE(brief({"-v"}, {{"SPRINTEST_REPORT", "brief"}}));
  RunOptions options;
  options.report = Report::full;
  EXPECT_FALSE(is_brief(options, {{"SPRINTEST_REPORT", "brief"}}).value());
  options.report = Report::brief;
  EXPECT_TRUE(is_brief(options, {{"SPRINTEST_REPORT", "full"}}).value());
}

TEST(ReportChoiceTest, EventsAreNotReportedBriefly) {
  RunOptions options;
  options.events = true;
  EXPECT_FALSE(is_brief(options, agent).value());
}

TEST(ReportChoiceTest, ABadValueIsAnError) {
  const auto error = is_brief({}, {{"SPRINTEST_REPORT", "short"}}).error();
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_EQ(error.message, "SPRINTEST_REPORT must be brief or full, not 'short'");
}

}  // namespace
}  // namespace stest
