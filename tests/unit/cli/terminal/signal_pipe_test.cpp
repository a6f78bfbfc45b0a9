#include "cli/terminal/signal_pipe.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

// Signals that do nothing by default, or are raised only while they are taken.
TEST(SignalPipeTest, SignalsBecomeBytesInTheirOrder) {
  const SignalPipe pipe({SIGWINCH, SIGCONT});
  ::raise(SIGCONT);
  ::raise(SIGWINCH);
  pipe.post(0);
  EXPECT_EQ(pipe.next(), SIGCONT);
  EXPECT_EQ(pipe.next(), SIGWINCH);
  EXPECT_EQ(pipe.next(), 0);
}

TEST(SignalPipeTest, AnIgnoredSignalStaysIgnored) {
  const auto previous = ::signal(SIGUSR1, SIG_IGN);
  {
    const SignalPipe pipe({SIGUSR1});
    ::raise(SIGUSR1);
    pipe.post(1);
    EXPECT_EQ(pipe.next(), 1);
  }
  EXPECT_EQ(::signal(SIGUSR1, previous), SIG_IGN);
}

volatile sig_atomic_t own_handler_calls = 0;

TEST(SignalPipeTest, GivesTheFormerEffectBack) {
  own_handler_calls = 0;
  const auto previous = ::signal(SIGUSR1, [](int) { own_handler_calls = own_handler_calls + 1; });
  {
    SignalPipe pipe({SIGUSR1});
    ::raise(SIGUSR1);
    EXPECT_EQ(own_handler_calls, 0);
    pipe.release(SIGUSR1);
    ::raise(SIGUSR1);
    EXPECT_EQ(own_handler_calls, 1);
    pipe.take(SIGUSR1);
    ::raise(SIGUSR1);
    EXPECT_EQ(own_handler_calls, 1);
  }
  ::raise(SIGUSR1);
  EXPECT_EQ(own_handler_calls, 2);
  ::signal(SIGUSR1, previous);
}

}  // namespace
}  // namespace stest
