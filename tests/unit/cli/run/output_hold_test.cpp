#include "cli/run/output_hold.hpp"

#include <gtest/gtest.h>

#include "common/start_over_mark.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

class OutputHoldTest : public ::testing::Test {
 protected:
  const OutputHold::Clock::time_point begin_{};
  OutputHold hold_;
};

TEST_F(OutputHoldTest, HoldsForAMomentAndThenNoMore) {
  EXPECT_EQ(hold_.take("", begin_ - 1h), "") << "there is nothing yet, however late it is";
  EXPECT_FALSE(hold_.remaining(begin_));
  EXPECT_EQ(hold_.take("one ", begin_), "");
  EXPECT_EQ(hold_.remaining(begin_ + 100ms), 400ms);
  EXPECT_EQ(hold_.remaining(begin_ + 2s), 0ms);
  EXPECT_EQ(hold_.take("", begin_ + 500ms), "one ");
  EXPECT_EQ(hold_.take("two", begin_), "two");
  EXPECT_FALSE(hold_.remaining(begin_));
}

TEST_F(OutputHoldTest, DropsWhatIsSaidAgain) {
  const std::string mark(start_over_mark);
  EXPECT_EQ(hold_.take("header" + mark.substr(0, 3), begin_), "");
  EXPECT_EQ(hold_.take(mark.substr(3) + "header", begin_), "");
  EXPECT_EQ(hold_.take(" ends", begin_ + 1s), "header ends");
  EXPECT_EQ(hold_.take("more" + mark + "again", begin_), "moreagain");
}

TEST_F(OutputHoldTest, DropsAllWhereAnotherProgramSaysIt) {
  (void)hold_.take("header", begin_);
  hold_.drop();
  EXPECT_EQ(hold_.release(), "");
}

TEST_F(OutputHoldTest, HoldsNoMoreThanItsLimit) {
  const std::string much(OutputHold::limit, 'x');
  EXPECT_EQ(hold_.take(much, begin_), much);
}

}  // namespace
}  // namespace stest
