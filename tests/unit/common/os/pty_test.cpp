#include "common/os/pty.hpp"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace stest {
namespace {

winsize size_of(int fd) {
  winsize size{};
  ::ioctl(fd, TIOCGWINSZ, &size);
  return size;
}

void set_size(int fd, unsigned short rows, unsigned short columns) {
  const winsize size{rows, columns, 0, 0};
  ::ioctl(fd, TIOCSWINSZ, &size);
}

class PtyTest : public ::testing::Test {
 protected:
  Pty like_ = *Pty::open(-1);
};

TEST_F(PtyTest, TakesSizeAndSettingsOver) {
  set_size(like_.far().get(), 33, 77);
  auto modes = like_.modes();
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(like_.far().get(), TCSANOW, &modes);
  const auto pty = Pty::open(like_.far().get());
  ASSERT_TRUE(pty) << pty.error().message;
  EXPECT_EQ(size_of(pty->far().get()).ws_row, 33);
  EXPECT_EQ(size_of(pty->far().get()).ws_col, 77);
  EXPECT_EQ(pty->modes().c_lflag & ECHO, 0u);
}

TEST_F(PtyTest, FollowsTheSize) {
  const auto pty = Pty::open(like_.far().get());
  set_size(like_.far().get(), 10, 20);
  pty->copy_size(like_.far().get());
  EXPECT_EQ(size_of(pty->far().get()).ws_row, 10);
  EXPECT_EQ(size_of(pty->far().get()).ws_col, 20);
}

TEST_F(PtyTest, IsFoundByItsFile) {
  const auto file = like_.file();
  struct stat info {};
  ASSERT_EQ(::stat(file.path.c_str(), &info), 0) << file.path;
  EXPECT_EQ(file.inode, info.st_ino);
  EXPECT_EQ(file.device, info.st_dev);
}

TEST_F(PtyTest, JoinsItsSides) {
  ASSERT_TRUE(write_all(like_.far().get(), "out"));
  EXPECT_EQ(read_some(like_.fd(), 100)->data, "out");
  EXPECT_TRUE(read_some(like_.fd(), 100)->would_block);
  ASSERT_TRUE(write_all(like_.fd(), "in\n"));
  EXPECT_EQ(read_some(like_.far().get(), 100)->data, "in\n");
}

TEST_F(PtyTest, NobodyIsInTheForegroundAtFirst) { EXPECT_FALSE(like_.has_foreground()); }

}  // namespace
}  // namespace stest
