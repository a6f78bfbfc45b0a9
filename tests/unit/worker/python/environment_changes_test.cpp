#include "worker/python/environment_changes.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(EnvironmentChanges, TellsWhatWasSetChangedAndUnset) {
  const auto changes = difference({{"SAME", "1"}, {"CHANGED", "1"}, {"GONE", "1"}},
                                  {{"SAME", "1"}, {"CHANGED", "2"}, {"NEW", "3"}});
  EXPECT_EQ(changes.set, (Environment{{"CHANGED", "2"}, {"NEW", "3"}}));
  EXPECT_EQ(changes.unset, std::vector<std::string>{"GONE"});
}

TEST(EnvironmentChanges, AppliesOnTopOfAnotherEnvironment) {
  const EnvironmentChanges changes{{{"NEW", "3"}}, {"GONE"}};
  EXPECT_EQ(apply(changes, {{"GONE", "x"}, {"OWN", "y"}, {"NEW", "z"}}),
            (Environment{{"OWN", "y"}, {"NEW", "3"}}));
}

TEST(EnvironmentChanges, EqualEnvironmentsDifferInNothing) {
  const auto changes = difference({{"A", "1"}}, {{"A", "1"}});
  EXPECT_TRUE(changes.set.empty());
  EXPECT_TRUE(changes.unset.empty());
}

}  // namespace
}  // namespace stest
