#include "worker/snapshot/stand_ins.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "common/os/fd.hpp"
#include "common/os/pty.hpp"

namespace stest {
namespace {

Fd duplicate(const Fd& fd) { return Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

/// What has come out of it by now.
std::string shown_by(int fd) {
  std::string text;
  char buffer[256];
  for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

/// A terminal on which three streams are, and a pipe on which they can be instead.
class StandInsTest : public ::testing::Test {
 protected:
  StandInsTest() : terminal_(std::move(*Pty::open(-1))), pipe_(std::move(*make_pipe())) {
    set_size(30, 100);
    EXPECT_TRUE(set_nonblocking(pipe_.read.get(), true));
  }

  void set_size(unsigned short rows, unsigned short columns) {
    const winsize size{rows, columns, 0, 0};
    ::ioctl(terminal_.far().get(), TIOCSWINSZ, &size);
  }
  std::vector<Fd> on_terminal() const {
    std::vector<Fd> streams;
    for (int i = 0; i < 3; ++i) streams.push_back(duplicate(terminal_.far()));
    return streams;
  }
  std::vector<Fd> on_pipe() const {
    std::vector<Fd> streams;
    for (int i = 0; i < 3; ++i) streams.push_back(duplicate(pipe_.write));
    return streams;
  }

  Pty terminal_;
  Pipe pipe_;
};

TEST_F(StandInsTest, ATerminalIsStoodInForByOneOfItsSize) {
  const auto stand_ins = StandIns::like(on_terminal());
  ASSERT_TRUE(stand_ins);
  EXPECT_TRUE(stand_ins->are_like(on_terminal()));
  EXPECT_FALSE(stand_ins->are_like(on_pipe()));
  for (const Fd& stream : stand_ins->streams()) EXPECT_NE(::isatty(stream.get()), 0);
  set_size(20, 100);
  EXPECT_FALSE(stand_ins->are_like(on_terminal()));
}

TEST_F(StandInsTest, WhetherTwoStreamsAreOneFileCounts) {
  auto streams = on_pipe();
  const auto merged = StandIns::like(streams);
  auto other = make_pipe();
  ASSERT_TRUE(merged && other);
  streams[2] = std::move(other->write);
  const auto apart = StandIns::like(streams);
  ASSERT_TRUE(apart);
  EXPECT_TRUE(apart->are_like(streams));
  EXPECT_FALSE(merged->are_like(streams));
  EXPECT_FALSE(apart->are_like(on_pipe()));
}

TEST_F(StandInsTest, WhatWasWrittenComesFirstAsItWasWritten) {
  auto stand_ins = StandIns::like(on_terminal());
  ASSERT_TRUE(stand_ins);
  const Fd copy = duplicate(stand_ins->streams()[1]);  // Such as pytest makes.
  ASSERT_TRUE(write_all(copy.get(), "one\ntwo\r\n"));
  stand_ins->keep_output();
  ASSERT_TRUE(write_all(stand_ins->streams()[2].get(), "three\n"));
  stand_ins->give_way_to(on_terminal());
  ASSERT_TRUE(write_all(copy.get(), "four\n"));
  EXPECT_EQ(shown_by(terminal_.fd()), "one\r\ntwo\r\r\nthree\r\nfour\r\n");
}

TEST_F(StandInsTest, EachForkShowsAllThatWasWritten) {
  auto stand_ins = StandIns::like(on_terminal());
  ASSERT_TRUE(stand_ins);
  const int stream = stand_ins->streams()[1].get();
  ASSERT_TRUE(write_all(stream, "before\n"));
  stand_ins->keep_output();
  for (const char* name : {"first\n", "second\n"}) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const auto own = stand_ins->separate();
      stand_ins->identify();
      const bool shown = own && *own >= 0 && write_all(stream, name);
      stand_ins->give_way_to(on_terminal());
      ::_exit(shown ? 0 : 1);
    }
    int status = 1;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(shown_by(terminal_.fd()), "before\r\nfirst\r\nbefore\r\nsecond\r\n");
}

TEST_F(StandInsTest, FilesInMemoryAreWrittenOut) {
  auto stand_ins = StandIns::like(on_pipe());
  ASSERT_TRUE(stand_ins);
  ASSERT_TRUE(write_all(stand_ins->streams()[1].get(), "out "));
  ASSERT_TRUE(write_all(stand_ins->streams()[2].get(), "err"));
  stand_ins->give_way_to(on_pipe());
  EXPECT_EQ(shown_by(pipe_.read.get()), "out err");
}

}  // namespace
}  // namespace stest
