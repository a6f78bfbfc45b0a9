#include "cli/run/termination.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

namespace stest {
namespace {

TEST(Termination, AsksForTheStackBeforeItTerminates) {
  std::string steps;
  std::atomic<bool> has_left = false;
  {
    Termination termination(
        {[&] { steps += "stack "; }, [&] { steps += "terminate "; }, [&] { has_left = true; }});
    EXPECT_FALSE(termination.has_begun());
    termination.begin();
    EXPECT_TRUE(termination.has_begun());
    termination.stack_came();
    termination.run_ended();
  }
  EXPECT_EQ(steps, "stack terminate ");
  EXPECT_FALSE(has_left);
}

TEST(Termination, LeavesARunThatDoesNotEnd) {
  std::promise<void> left;
  Termination termination({[] {}, [] {}, [&] { left.set_value(); }});
  termination.begin();
  left.get_future().wait();
}

TEST(Termination, OfARunThatIsOverThereIsNothingToDo) {
  bool has_asked = false;
  {
    Termination termination({[&] { has_asked = true; }, [] {}, [] {}});
    termination.run_ended();
    termination.begin();
  }
  EXPECT_FALSE(has_asked);
}

}  // namespace
}  // namespace stest
