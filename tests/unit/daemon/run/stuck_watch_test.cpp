#include "daemon/run/stuck_watch.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using std::chrono::seconds;

const StuckWatch::Clock::time_point start{};

TEST(StuckWatch, SpeaksAtGrowingIntervals) {
  StuckWatch watch(seconds(10), start);
  EXPECT_FALSE(watch.due(start + seconds(9)));
  EXPECT_EQ(watch.remaining(start + seconds(9)), seconds(1));
  EXPECT_EQ(watch.due(start + seconds(10))->count(), 10);
  EXPECT_FALSE(watch.due(start + seconds(19)));
  EXPECT_EQ(watch.due(start + seconds(20))->count(), 20);
  EXPECT_FALSE(watch.due(start + seconds(39)));
  EXPECT_EQ(watch.due(start + seconds(41))->count(), 41);
}

TEST(StuckWatch, BeginsAnewWhenSomethingIsHeard) {
  StuckWatch watch(seconds(10), start);
  EXPECT_TRUE(watch.due(start + seconds(10)));
  watch.heard(start + seconds(12));
  EXPECT_FALSE(watch.due(start + seconds(21)));
  EXPECT_EQ(watch.due(start + seconds(22))->count(), 10);
}

TEST(StuckWatch, IsSilentWithoutAThreshold) {
  StuckWatch watch(seconds(0), start);
  EXPECT_FALSE(watch.due(start + seconds(1000)));
  EXPECT_FALSE(watch.remaining(start));
}

}  // namespace
}  // namespace stest
