#include "daemon/run/running_tests.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(RunningTests, EachWorkerIsAtOne) {
  RunningTests tests;
  tests.take({"a", "start", "", 0, "gw0"});
  tests.take({"b", "start", "", 0, "gw1"});
  tests.take({"a", "call", "passed", 0, "gw0"});
  EXPECT_EQ(tests.nodeid(), "a");
  tests.take({"a", "teardown", "passed", 0, "gw0"});
  EXPECT_EQ(tests.nodeid(), "b");
  tests.take({"c", "start", "", 0, "gw0"});
  ASSERT_EQ(tests.list().size(), 2u);
  EXPECT_EQ(tests.list()[1].worker, "gw0");
}

}  // namespace
}  // namespace stest
