#include "daemon/status_board.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class StatusBoardTest : public testing::Test {
 protected:
  StatusBoardTest() {
    status.process = identify(getpid()).value();
    status.endpoint.socket = "/run/daemon.sock";
  }

  DaemonStatus written() { return read_status(file).value(); }

  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "status.json";
  DaemonStatus status;
};

TEST_F(StatusBoardTest, WritesWhatChanged) {
  StatusBoard board(file, status);
  EXPECT_FALSE(std::filesystem::exists(file));
  board.refresh([] { return "idle"; });
  EXPECT_EQ(written().state, "idle");
  EXPECT_GT(written().since, 0u);
  board.set_last_result(R"({"id":3})");
  board.refresh([] { return "idle"; });
  EXPECT_EQ(written().last_result, R"({"id":3})");
}

TEST_F(StatusBoardTest, DoesNotWriteWhatStandsThere) {
  StatusBoard board(file, status);
  board.refresh([] { return "idle"; });
  std::filesystem::remove(file);
  board.refresh([] { return "idle"; });
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(StatusBoardTest, StaysAwayOnceRetired) {
  StatusBoard board(file, status);
  board.refresh([] { return "idle"; });
  board.retire();
  board.refresh([] { return "running"; });
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(StatusBoardTest, LeavesTheFileOfTheNextDaemonAlone) {
  StatusBoard board(file, status);
  board.refresh([] { return "idle"; });
  auto next = status;
  next.process.start_time = 1;
  next.state = "of the next one";
  ASSERT_TRUE(write_status(file, next));
  board.refresh([] { return "stopping"; });
  EXPECT_EQ(read_last_status(file)->state, "of the next one");
  board.retire();
  EXPECT_EQ(read_last_status(file)->state, "of the next one");
}

TEST_F(StatusBoardTest, ReplacesTheFileOfADaemonThatWasKilled) {
  auto killed = status;
  killed.process.start_time = 1;
  ASSERT_TRUE(write_status(file, killed));
  StatusBoard(file, status).refresh([] { return "idle"; });
  EXPECT_EQ(written().state, "idle");
}

}  // namespace
}  // namespace stest
