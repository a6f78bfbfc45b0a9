#include "cli/terminal/terminal_link.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

namespace stest {
namespace {

/// A terminal of the user's, and the tests' own that is joined with it. What needs a keyboard, and with it
/// a session of its own, is in tests/e2e/test_terminal.py.
class TerminalLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto link = TerminalLink::open({user_.far().get(), false, true, true}, modes_, console_,
                                   {[](bool, bool) {}, [](bool) {}});
    ASSERT_TRUE(link) << link.error().message;
    link_ = std::move(*link);
    tests_ = Fd(::open(link_->description().file.path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(tests_);
  }

  Pty user_ = *Pty::open(-1);
  TerminalModes modes_{user_.far().get()};
  Console console_{{user_.far().get(), user_.far().get(), true, true}, {}};
  std::unique_ptr<TerminalLink> link_;
  Fd tests_;
};

TEST_F(TerminalLinkTest, DescribesWhichStreamsAreTheTerminal) {
  EXPECT_FALSE(link_->description().in);
  EXPECT_TRUE(link_->description().out);
  EXPECT_TRUE(link_->description().err);
}

TEST_F(TerminalLinkTest, ShowsAllThatTheTestsWroteBeforeItIsFinished) {
  link_->begin();
  ASSERT_TRUE(write_all(tests_.get(), "one\ntwo\n"));
  link_->finish();
  EXPECT_EQ(read_some(user_.fd(), 100)->data, "one\r\ntwo\r\n");
  EXPECT_FALSE(link_->was_typed());
}

TEST_F(TerminalLinkTest, TheSizeFollows) {
  link_->begin();
  const winsize wanted{12, 34, 0, 0};
  ::ioctl(user_.far().get(), TIOCSWINSZ, &wanted);
  ::kill(::getpid(), SIGWINCH);
  ASSERT_TRUE(write_all(tests_.get(), "x"));
  link_->finish();
  winsize size{};
  ::ioctl(tests_.get(), TIOCGWINSZ, &size);
  EXPECT_EQ(size.ws_row, 12);
  EXPECT_EQ(size.ws_col, 34);
}

TEST_F(TerminalLinkTest, FinishingTwiceOrUnbegunIsHarmless) {
  link_->finish();
  link_->begin();
  link_->begin();
  link_->finish();
  link_->finish();
}

}  // namespace
}  // namespace stest
