#include "daemon/run/client_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/os/pty.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class ClientInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(path_) << "0123456789";
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    file_ = {path_, info.st_dev, info.st_ino};
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() / "input";
  OpenFile file_;
};

TEST_F(ClientInputTest, IsReadFromItsOffset) {
  const auto fd = open_client_input({file_, 4});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_EQ(read_some(fd->get(), 100)->data, "456789");
}

TEST_F(ClientInputTest, MustBeTheVeryFile) {
  for (auto file :
       {OpenFile{path_, file_.device, file_.inode + 1}, OpenFile{path_, file_.device + 1, file_.inode}}) {
    const auto fd = open_client_input({file, 0});
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, ErrorCode::bad_request);
    EXPECT_NE(fd.error().message.find(path_), std::string::npos) << fd.error().message;
  }
  EXPECT_TRUE(open_client_input({{path_, 0, 0}, 0})) << "zeros are not compared";
}

TEST_F(ClientInputTest, AMissingFileIsNamed) {
  const auto fd = open_client_input({{path_ + ".not", 0, 0}, 0});
  ASSERT_FALSE(fd);
  EXPECT_NE(fd.error().message.find("input.not"), std::string::npos) << fd.error().message;
}

TEST_F(ClientInputTest, AFifoWithoutWriterIsOpenedWithoutWaiting) {
  const std::string fifo = folder_.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto fd = open_client_input({{fifo, 0, 0}, 0});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_EQ(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0) << "the tests get a usual descriptor";
}

TEST_F(ClientInputTest, IsNoTerminal) { EXPECT_FALSE(ClientTerminal::open(file_)); }

class ClientTerminalTest : public ::testing::Test {
 protected:
  void set_single_keys(bool on) {
    auto modes = pty_.modes();
    modes.c_lflag = on ? modes.c_lflag & ~static_cast<tcflag_t>(ICANON) : modes.c_lflag | ICANON;
    ::tcsetattr(pty_.far().get(), TCSANOW, &modes);
  }

  Pty pty_ = *Pty::open(-1);
};

TEST_F(ClientTerminalTest, IsTheClientsOwn) {
  const auto terminal = ClientTerminal::open(pty_.file());
  ASSERT_TRUE(terminal) << terminal.error().message;
  ASSERT_TRUE(write_all(terminal->fd(), "x"));
  EXPECT_EQ(read_some(pty_.fd(), 100)->data, "x");
}

TEST_F(ClientTerminalTest, IsInUseWhereAProgramListensToKeys) {
  auto terminal = *ClientTerminal::open(pty_.file());
  terminal.is_in_use();  // The times of its making.
  EXPECT_FALSE(terminal.is_in_use());
  set_single_keys(true);
  EXPECT_TRUE(terminal.is_in_use());
  EXPECT_TRUE(terminal.is_in_use());
  set_single_keys(false);
  EXPECT_FALSE(terminal.is_in_use());
}

}  // namespace
}  // namespace stest
