#include <gtest/gtest.h>

#include "cli/wait_notice.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

TEST(WaitNoticeTest, NothingWithoutAWait) {
  WaitNotice notice(true);
  EXPECT_FALSE(notice.is_waiting());
  EXPECT_FALSE(notice.due(10s));
}

TEST(WaitNoticeTest, AQueueIsNamedOnceAfterHalfASecond) {
  WaitNotice notice(false);
  notice.queued({1, 2});
  EXPECT_FALSE(notice.due(400ms));
  const auto line = notice.due(600ms);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "waiting for 2 other runs");
  EXPECT_FALSE(line->brief);
  notice.queued({1, 1});
  EXPECT_FALSE(notice.due(9s));
}

TEST(WaitNoticeTest, OneRunIsSingular) {
  WaitNotice notice(false);
  notice.queued({1, 1});
  EXPECT_EQ(notice.due(1s)->text, "waiting for 1 other run");
}

TEST(WaitNoticeTest, InALogWarmingIsOneLine) {
  WaitNotice notice(false);
  notice.warming({"torch", 0.1});
  EXPECT_FALSE(notice.due(900ms));
  const auto line = notice.due(1100ms);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "importing torch…");
  EXPECT_FALSE(line->brief);
  notice.warming({"numpy", 2});
  EXPECT_FALSE(notice.due(3s));
}

TEST(WaitNoticeTest, OnATerminalTheLineFollowsTheModules) {
  WaitNotice notice(true);
  notice.warming({"", 0});
  EXPECT_EQ(notice.due(1s)->text, "starting the worker (1 s)");
  notice.warming({"torch", 1});
  EXPECT_EQ(notice.due(2100ms)->text, "importing torch (2 s)");
  EXPECT_TRUE(notice.due(2200ms)->brief);
}

TEST(WaitNoticeTest, TheEndOfTheWaitEndsTheNotice) {
  WaitNotice notice(true);
  notice.warming({"torch", 1});
  notice.ended();
  EXPECT_FALSE(notice.due(9s));
}

}  // namespace
}  // namespace stest
