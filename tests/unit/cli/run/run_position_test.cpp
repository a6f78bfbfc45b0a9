#include "cli/run/run_position.hpp"

#include <gtest/gtest.h>

#include "cli/run/unfinished_text.hpp"

namespace stest {
namespace {

TEST(RunPosition, SaysWhatARunWaitsForOrRuns) {
  RunPosition position;
  EXPECT_EQ(position.text(), "after 0 s, while stest looked for a daemon");
  position.take(event::Queued{1, 2});
  EXPECT_EQ(position.text(), "after 0 s, while the run waited for its turn");
  position.take(event::Warming{"torch", 1});
  EXPECT_EQ(position.text(), "after 0 s, while the worker imported torch");
  position.take(event::Started{1, 2});
  EXPECT_EQ(position.text(), "after 0 s, while no test was running");
  position.take(event::Test{"t.py::a", "start", "", 0});
  position.take(event::Test{"t.py::a", "call", "passed", 0});
  EXPECT_EQ(position.text(), "after 0 s, running t.py::a for 0 s");
  position.take(event::Test{"t.py::a", "teardown", "passed", 0});
  EXPECT_EQ(position.text(), "after 0 s, while no test was running");
}

TEST(UnfinishedText, TellsWhatFailedAndHowManyDidNotRun) {
  EXPECT_EQ(unfinished_text({{}, "a", 0, false}), "no test had failed before, 0 did not run");
  EXPECT_EQ(unfinished_text({{"a"}, "b", std::nullopt, true}),
            "1 test had failed before; `stest --lf` runs what failed\n  a");
  const std::vector<std::string> many(12, "x");
  const auto text = unfinished_text({many, "", 3, false});
  EXPECT_TRUE(text.starts_with("12 tests had failed before, 3 did not run\n  x\n"));
  EXPECT_TRUE(text.ends_with("\n  and 2 more"));
}

}  // namespace
}  // namespace stest
