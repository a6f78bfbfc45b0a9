#include "daemon/run/stuck_watch.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using std::chrono::seconds;

const StuckWatch::Clock::time_point origin{};

TEST(StuckWatch, SpeaksAtGrowingIntervals) {
  StuckWatch watch(seconds(10), origin);
  EXPECT_FALSE(watch.due(origin + seconds(9)));
  EXPECT_EQ(watch.remaining(origin + seconds(9)), seconds(1));
  EXPECT_EQ(watch.due(origin + seconds(10))->count(), 10);
  EXPECT_FALSE(watch.due(origin + seconds(19)));
  EXPECT_EQ(watch.due(origin + seconds(20))->count(), 20);
  EXPECT_FALSE(watch.due(origin + seconds(39)));
  EXPECT_EQ(watch.due(origin + seconds(41))->count(), 41);
}

TEST(StuckWatch, BeginsAnewWhenSomethingIsHeard) {
  StuckWatch watch(seconds(10), origin);
  EXPECT_TRUE(watch.due(origin + seconds(10)));
  watch.heard(origin + seconds(12));
  EXPECT_FALSE(watch.due(origin + seconds(21)));
  EXPECT_EQ(watch.due(origin + seconds(22))->count(), 10);
}

TEST(StuckWatch, IsSilentWithoutAThreshold) {
  StuckWatch watch(seconds(0), origin);
  EXPECT_FALSE(watch.due(origin + seconds(1000)));
  EXPECT_FALSE(watch.remaining(origin));
}

}  // namespace
}  // namespace stest
