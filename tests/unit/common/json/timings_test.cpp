#include "stest/timings.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(Timings, HasNoGaps) {
  Timings timings{100};
  EXPECT_EQ(timings.end_ns(), 100u);
  timings.end_stage("queue", 130);
  timings.end_stage("tests", 200);
  EXPECT_EQ(timings.stages, (std::vector<Timings::Stage>{{"queue", 30}, {"tests", 70}}));
  EXPECT_EQ(timings.end_ns(), 200u);
}

TEST(Timings, GivesNoTimeToWhatWasOverBefore) {
  Timings timings{100};
  timings.end_stage("worker", 150);
  timings.end_stage("configuration", 90);
  timings.end_stage("collection", 0);
  timings.end_stage("tests", 160);
  EXPECT_EQ(timings.stages, (std::vector<Timings::Stage>{
                                {"worker", 50}, {"configuration", 0}, {"collection", 0}, {"tests", 10}}));
}

TEST(Timings, TellsABeginInThePast) {
  const auto begin = process_begin_ns();
  EXPECT_LE(begin, monotonic_ns());
  EXPECT_GT(begin, 0u);
}

}  // namespace
}  // namespace stest
