#include "daemon/run/run_control.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace stest {
namespace {

TEST(RunControl, DeliversEarlierAndLaterCancels) {
  RunControl control;
  std::vector<int> signals;
  control.cancel(CancelHow::interrupt, CancelReason::client);
  control.attach([&](int signal) { signals.push_back(signal); });
  control.cancel(CancelHow::interrupt, CancelReason::client);
  control.cancel(CancelHow::kill, CancelReason::stop);
  control.detach();
  control.cancel(CancelHow::terminate, CancelReason::client);
  EXPECT_EQ(signals, (std::vector<int>{SIGINT, SIGINT, SIGKILL}));
}

TEST(RunControl, KeepsTheStrongestAndTheFirstReason) {
  RunControl control;
  EXPECT_FALSE(control.strongest());
  control.cancel(CancelHow::terminate, CancelReason::vanished);
  control.cancel(CancelHow::interrupt, CancelReason::client);
  EXPECT_EQ(control.strongest(), CancelHow::terminate);
  EXPECT_EQ(control.reason(), CancelReason::vanished);
}

TEST(CancelHow, HasNames) {
  for (const auto how : {CancelHow::interrupt, CancelHow::terminate, CancelHow::kill}) {
    EXPECT_EQ(cancel_how(name(how)), how);
  }
  EXPECT_FALSE(cancel_how("gently"));
  EXPECT_EQ(signal_of(CancelHow::terminate), SIGTERM);
}

}  // namespace
}  // namespace stest
