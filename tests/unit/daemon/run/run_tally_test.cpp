#include "daemon/run/run_tally.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(RunTally, CountsWhatDidNotRunAndKeepsTheOrderOfFailures) {
  RunTally tally;
  EXPECT_FALSE(tally.has_tests());
  tally.collected(6);
  for (const auto* test : {"b", "a", "again", "dies"}) tally.take({test, "start", "", 0});
  tally.take({"b", "setup", "failed", 0});
  tally.take({"a", "call", "failed", 0});
  tally.take({"a", "teardown", "passed", 0});
  tally.take({"again", "call", "failed", 0});
  tally.take({"again", "start", "", 0});
  tally.take({"again", "call", "passed", 0});
  EXPECT_TRUE(tally.has_tests());
  const auto unfinished = tally.unfinished("dies");
  EXPECT_EQ(unfinished.failed, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(unfinished.not_run, 2);
  EXPECT_EQ(unfinished.nodeid, "dies");
}

TEST(RunTally, SaysNothingOfTestsThatItDoesNotKnow) {
  RunTally tally;
  tally.take({"a", "start", "", 0});
  EXPECT_EQ(tally.unfinished("a").not_run, std::nullopt);
}

}  // namespace
}  // namespace stest
