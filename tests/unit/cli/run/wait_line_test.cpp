#include "cli/run/wait_line.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using namespace std::chrono_literals;

TEST(WaitLineTest, NothingWithoutAWait) {
  WaitLine notice(true);
  EXPECT_FALSE(notice.is_waiting());
  EXPECT_FALSE(notice.due(10s));
}

TEST(WaitLineTest, ShortWaitsAreNotMentioned) {
  WaitLine lasting(false), animated(true);
  for (auto* notice : {&lasting, &animated}) notice->queued({1, 2}, 0ms);
  EXPECT_FALSE(lasting.due(1900ms));
  EXPECT_FALSE(animated.due(400ms));
  EXPECT_TRUE(animated.due(600ms)->brief);
  lasting.warming({"torch", 0.1}, 1900ms);  // Another wait.
  EXPECT_FALSE(lasting.due(3800ms));
}

TEST(WaitLineTest, TheQueueIsShownWithWhatRuns) {
  WaitLine notice(true);
  notice.queued({4, 1, {{3, {"-x", "t.py"}, "t.py::a", 1.5}}}, 1s);
  EXPECT_EQ(
      notice.due(2s)->text,
      "waiting 1.0 s for run 3 (2.5 s so far); `stest run --cold` does not wait; next in the queue; run 3: "
      "stest -x t.py, at t.py::a");
  notice.queued({4, 3, {{3, {}, "", 4}, {2, {}, "", 5}}}, 3s);
  EXPECT_EQ(
      notice.due(3s)->text,
      "waiting 2.0 s for run 3 (4.0 s so far) and 1 more; `stest run --cold` does not wait; number 3 in the "
      "queue; run 3: stest");
  notice.queued({4, 2}, 4s);
  EXPECT_EQ(notice.due(4s)->text, "number 2 in the queue, 3.0 s");
}

TEST(WaitLineTest, LastingLinesGrowRare) {
  WaitLine notice(false);
  notice.warming({"torch", 0}, 0ms);
  std::vector<WaitLine::Elapsed> told;
  for (auto now = 0ms; now < 10min; now += 100ms) {
    notice.warming({"torch", 0}, now);
    const auto line = notice.due(now);
    if (!line) continue;
    EXPECT_FALSE(line->brief);
    told.push_back(now);
  }
  EXPECT_EQ(told, (std::vector<WaitLine::Elapsed>{2s, 8s, 32s, 128s, 512s}));
}

TEST(WaitLineTest, ImportsAreShownWithTheTimeThatIsExpected) {
  WaitLine notice(true);
  notice.warming({"", 0}, 1s);
  EXPECT_EQ(notice.due(2s)->text, "starting the worker, 1.0 s");
  notice.warming({"torch", 1.5, 4.1}, 2500ms);
  EXPECT_EQ(notice.due(3s)->text, "importing torch, 2.0 s of about 4.1 s");
  EXPECT_EQ(notice.due(6s)->text, "importing torch, 5.0 s");  // It takes longer than it did.
}

TEST(WaitLineTest, TheEndOfTheWaitEndsTheNotice) {
  WaitLine notice(true);
  notice.warming({"torch", 1}, 0ms);
  notice.ended();
  EXPECT_FALSE(notice.due(9s));
}

}  // namespace
}  // namespace stest
