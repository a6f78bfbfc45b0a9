#include "cli/terminal/terminal_modes.hpp"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <functional>

#include "common/os/pty.hpp"

namespace stest {
namespace {

bool is_raw(int fd) {
  termios modes{};
  ::tcgetattr(fd, &modes);
  return (modes.c_lflag & ICANON) == 0;
}

/// The wait status of `body` in a process with a terminal of its own at 0, 1 and 2, and how it left that.
struct Ended {
  int status = 0;
  bool left_raw = false;
};
Ended on_a_terminal(const std::function<int()>& body) {
  int near = -1, far = -1;
  EXPECT_EQ(::openpty(&near, &far, nullptr, nullptr, nullptr), 0);
  const Fd near_fd(near), far_fd(far);
  const pid_t child = ::fork();
  if (child == 0) {
    ::login_tty(far);
    ::_exit(body());
  }
  Ended ended;
  EXPECT_EQ(::waitpid(child, &ended.status, 0), child);
  ended.left_raw = is_raw(near);  // The far side hangs up with its session.
  return ended;
}

#define CHECK_HERE(condition) \
  if (!(condition)) return __LINE__ % 256

TEST(TerminalModesTest, AreRawUntilTheyAreRestored) {
  const auto ended = on_a_terminal([] {
    TerminalModes modes(0);
    CHECK_HERE(modes.make_raw() && modes.is_raw() && is_raw(0));
    modes.restore();
    CHECK_HERE(!modes.is_raw() && !is_raw(0));
    CHECK_HERE(modes.make_raw());
    modes.end();
    CHECK_HERE(!is_raw(0) && !modes.make_raw() && !is_raw(0));
    return 0;
  });
  EXPECT_EQ(ended.status, 0) << "line " << WEXITSTATUS(ended.status) << " modulo 256";
}

TEST(TerminalModesTest, TheDestructorRestores) {
  const auto without = on_a_terminal([]() -> int {
    TerminalModes modes(0);
    ::_exit(modes.make_raw() ? 0 : 1);
  });
  EXPECT_EQ(without.status, 0);
  EXPECT_TRUE(without.left_raw);
  const auto with = on_a_terminal([] { return TerminalModes(0).make_raw() ? 0 : 1; });
  EXPECT_EQ(with.status, 0);
  EXPECT_FALSE(with.left_raw);
}

TEST(TerminalModesTest, ACrashRestores) {
  const auto ended = on_a_terminal([] {
    ::signal(SIGABRT, SIG_DFL);
    TerminalModes modes(0);
    CHECK_HERE(modes.make_raw());
    ::raise(SIGABRT);
    return 1;
  });
  ASSERT_TRUE(WIFSIGNALED(ended.status));
  EXPECT_EQ(WTERMSIG(ended.status), SIGABRT);
  EXPECT_FALSE(ended.left_raw);
}

TEST(TerminalModesTest, ATerminalOfAnotherJobIsLeftAlone) {
  const auto pty = Pty::open(-1);
  ASSERT_TRUE(pty);
  TerminalModes modes(pty->far().get());
  EXPECT_FALSE(is_foreground(pty->far().get()));
  EXPECT_FALSE(modes.make_raw());
  EXPECT_FALSE(is_raw(pty->far().get()));
}

}  // namespace
}  // namespace stest
