#include "daemon/run/silence_watch.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using std::chrono::seconds;

const SilenceWatch::Clock::time_point start{};

Config config(int stuck_after, int hang_timeout = 0) {
  Config config;
  config.stuck_after = seconds(stuck_after);
  config.hang_timeout = seconds(hang_timeout);
  return config;
}

TEST(SilenceWatch, ReportsOnceWhenSomebodyWantsIt) {
  SilenceWatch watch(config(0), start);
  const Fd process = watch.connect().value();
  EXPECT_FALSE(watch.must_ask(start + seconds(1)));
  watch.want();
  ASSERT_TRUE(watch.must_ask(start + seconds(1)));
  watch.heard(start + seconds(1));  // A run that is not silent tells too.
  ASSERT_TRUE(write_all(process.get(), std::string_view("  File\n\0", 8)));
  watch.read();
  ASSERT_TRUE(watch.report({}, start + seconds(1)));
  EXPECT_FALSE(watch.must_ask(start + seconds(9)));
}

TEST(SilenceWatch, ReportsOnceTheStackHasCome) {
  SilenceWatch watch(config(10), start);
  const Fd process = watch.connect().value();
  EXPECT_FALSE(watch.must_ask(start + seconds(9)));
  ASSERT_TRUE(watch.must_ask(start + seconds(10)));
  EXPECT_FALSE(watch.must_ask(start + seconds(10)));
  ASSERT_TRUE(write_all(process.get(), "Thread 1\n"));
  watch.read();
  EXPECT_FALSE(watch.report({}, start + seconds(10)));
  ASSERT_TRUE(write_all(process.get(), std::string_view("  File\n\0", 8)));
  watch.read();
  const auto stuck = watch.report({}, start + seconds(11));
  ASSERT_TRUE(stuck);
  EXPECT_EQ(stuck->stack, "Thread 1\n  File\n");
  EXPECT_EQ(stuck->seconds, 11);
  EXPECT_FALSE(watch.report({}, start + seconds(12)));
  EXPECT_FALSE(watch.must_ask(start + seconds(19)));
  EXPECT_TRUE(watch.must_ask(start + seconds(20)));
}

TEST(SilenceWatch, ReportsWithoutAStackInTheEnd) {
  SilenceWatch watch(config(10), start);
  const Fd process = watch.connect().value();
  ASSERT_TRUE(watch.must_ask(start + seconds(10)));
  EXPECT_FALSE(watch.report({}, start + seconds(11)));
  EXPECT_EQ(watch.remaining(start + seconds(11)), seconds(1));
  const auto stuck = watch.report({}, start + seconds(10) + SilenceWatch::patience);
  ASSERT_TRUE(stuck);
  EXPECT_EQ(stuck->stack, "");
  EXPECT_EQ(stuck->test_seconds, 0);
}

TEST(SilenceWatch, WaitsForOthersAsWell) {
  SilenceWatch watch(config(10), start);
  watch.connect().value().reset();
  watch.read();
  ASSERT_TRUE(watch.must_ask(start + seconds(10)));
  EXPECT_FALSE(watch.report({}, start + seconds(10), false));
  EXPECT_TRUE(watch.report({}, start + seconds(10) + SilenceWatch::patience, false));
}

TEST(SilenceWatch, DoesNotWaitForOneThatHasClosedThePipe) {
  SilenceWatch watch(config(10), start);
  watch.connect().value().reset();
  watch.read();
  EXPECT_EQ(watch.fd(), -1);
  ASSERT_TRUE(watch.must_ask(start + seconds(10)));
  EXPECT_TRUE(watch.report({}, start + seconds(10)));
}

TEST(SilenceWatch, IsContentWhenSomethingComesMeanwhile) {
  SilenceWatch watch(config(10), start);
  const Fd process = watch.connect().value();
  ASSERT_TRUE(watch.must_ask(start + seconds(10)));
  watch.heard(start + seconds(11));
  EXPECT_FALSE(watch.report({}, start + seconds(14)));
  EXPECT_EQ(watch.remaining(start + seconds(14)), seconds(7));
}

TEST(SilenceWatch, AHungRunIsAskedAtLast) {
  SilenceWatch watch(config(0, 30), start);
  const Fd process = watch.connect().value();
  EXPECT_EQ(watch.remaining(start), seconds(30));
  EXPECT_FALSE(watch.must_ask(start + seconds(29)));
  EXPECT_FALSE(watch.is_hung(start + seconds(29)));
  ASSERT_TRUE(watch.must_ask(start + seconds(30)));
  EXPECT_TRUE(watch.is_hung(start + seconds(30)));
}

TEST(SilenceWatch, NeverWithoutThresholds) {
  SilenceWatch watch(config(0), start);
  EXPECT_FALSE(watch.must_ask(start + seconds(1000)));
  EXPECT_FALSE(watch.is_hung(start + seconds(1000)));
  EXPECT_FALSE(watch.remaining(start));
}

}  // namespace
}  // namespace stest
