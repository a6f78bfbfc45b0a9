#include "common/config/log_tail.hpp"

#include <gtest/gtest.h>

#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using unit::write_text;

class LogTailTest : public ::testing::Test {
 protected:
  unit::TemporaryProject project_;
  std::filesystem::path file_ = project_.root() / "log";
};

TEST_F(LogTailTest, TheLastLines) {
  write_text(file_, "one\ntwo\n\nthree\n");
  EXPECT_EQ(last_lines(file_, 1), "three\n");
  EXPECT_EQ(last_lines(file_, 2), "\nthree\n");
  EXPECT_EQ(last_lines(file_, 99), "one\ntwo\n\nthree\n");
  EXPECT_EQ(last_lines(file_, 0), "");
}

TEST_F(LogTailTest, AnUnfinishedLineCounts) {
  write_text(file_, "one\ntwo");
  EXPECT_EQ(last_lines(file_, 1), "two");
  EXPECT_EQ(last_lines(file_, 2), "one\ntwo");
}

TEST_F(LogTailTest, OnlyWhatLiesBeyondTheStart) {
  write_text(file_, "old\nnew\n");
  EXPECT_EQ(last_lines(file_, 20, 4), "new\n");
  EXPECT_EQ(last_lines(file_, 20, 8), "");
  EXPECT_EQ(last_lines(file_, 20, 9), "old\nnew\n") << "a file that was begun anew counts as a whole";
}

TEST_F(LogTailTest, WithoutAFileThereIsNothing) {
  EXPECT_EQ(last_lines(file_, 5), "");
  EXPECT_EQ(file_size_or_zero(file_), 0u);
}

TEST_F(LogTailTest, FollowsWhatIsAppended) {
  write_text(file_, "old\n");
  LogFollower follower(file_);
  EXPECT_EQ(follower.read_new(), "");
  std::ofstream(file_, std::ios::app) << "new\n";
  EXPECT_EQ(follower.read_new(), "new\n");
  EXPECT_EQ(follower.read_new(), "");
}

TEST_F(LogTailTest, FollowsOverTruncation) {
  write_text(file_, "a long line\n");
  LogFollower follower(file_);
  write_text(file_, "new\n");
  EXPECT_EQ(follower.read_new(), "new\n");
}

TEST_F(LogTailTest, FollowsOverRotationAndLosesNothing) {
  write_text(file_, "old\n");
  LogFollower follower(file_);
  std::ofstream(file_, std::ios::app) << "last\n";
  std::filesystem::rename(file_, project_.root() / "log.1");
  write_text(file_, "first\n");
  EXPECT_EQ(follower.read_new(), "last\nfirst\n");
}

TEST_F(LogTailTest, FollowsAFileThatDoesNotExistYet) {
  LogFollower follower(file_);
  EXPECT_EQ(follower.read_new(), "");
  write_text(file_, "first\n");
  EXPECT_EQ(follower.read_new(), "first\n");
}

}  // namespace
}  // namespace stest
