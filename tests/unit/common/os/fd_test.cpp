#include "common/os/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace stest {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

bool is_cloexec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

TEST(Fd, ClosesAtTheEnd) {
  int number = -1;
  {
    const Fd fd(::dup(1));
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, MoveLeavesNothingBehind) {
  Fd first(::dup(1));
  const int number = first.get();
  Fd second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is the point.
  EXPECT_EQ(second.get(), number);
  Fd third(::dup(1));
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(Fd, SelfAssignmentKeepsIt) {
  Fd fd(::dup(1));
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(Fd, ReleaseGivesUpOwnership) {
  Fd fd(::dup(1));
  const int number = fd.release();
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(MakePipe, CarriesBytesAndEnds) {
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_TRUE(is_cloexec(pipe->read.get()));
  EXPECT_TRUE(is_cloexec(pipe->write.get()));
  ASSERT_TRUE(write_all(pipe->write.get(), "hello"));
  pipe->write.reset();
  const Result<ReadResult> data = read_some(pipe->read.get(), 100);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->data, "hello");
  EXPECT_FALSE(data->end);
  const Result<ReadResult> end = read_some(pipe->read.get(), 100);
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->end);
  EXPECT_TRUE(end->data.empty());
}

TEST(MakeSocketpair, IsConnectedAndCloexec) {
  Result<std::pair<Fd, Fd>> pair = make_socketpair();
  ASSERT_TRUE(pair);
  EXPECT_TRUE(is_cloexec(pair->first.get()));
  EXPECT_TRUE(is_cloexec(pair->second.get()));
  ASSERT_TRUE(write_all(pair->first.get(), "x"));
  EXPECT_EQ(read_some(pair->second.get(), 1)->data, "x");
}

TEST(SetCloexec, SetsAndClears) {
  const Fd fd(::dup(1));
  ASSERT_TRUE(set_cloexec(fd.get(), true));
  EXPECT_TRUE(is_cloexec(fd.get()));
  ASSERT_TRUE(set_cloexec(fd.get(), false));
  EXPECT_FALSE(is_cloexec(fd.get()));
}

TEST(ReadSome, NonBlockingWithoutDataWouldBlock) {
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(set_nonblocking(pipe->read.get(), true));
  const Result<ReadResult> nothing = read_some(pipe->read.get(), 10);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->would_block);
  EXPECT_FALSE(nothing->end);
}

TEST(ReadSome, ClosedTerminalIsAnEnd) {
  const Fd main(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!main || ::grantpt(main.get()) != 0 || ::unlockpt(main.get()) != 0) GTEST_SKIP() << "no pty here";
  Fd terminal(::open(::ptsname(main.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal) GTEST_SKIP() << "no pty here";
  terminal.reset();
  const Result<ReadResult> read = read_some(main.get(), 10);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->end);
}

TEST(ReadSome, BadDescriptorIsAnError) {
  const Result<ReadResult> read = read_some(-1, 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::internal);
  EXPECT_EQ(read.error().message, "cannot read: Bad file descriptor");
}

TEST(WriteAll, MoreThanThePipeHolds) {
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(set_nonblocking(pipe->write.get(), true));
  const std::string big(1 << 20, 'x');
  std::thread writer([&] {
    EXPECT_TRUE(write_all(pipe->write.get(), big));
    pipe->write.reset();
  });
  std::string read;
  while (true) {
    const Result<ReadResult> part = read_some(pipe->read.get(), 4096);
    if (!part || part->end) break;
    read += part->data;
  }
  writer.join();
  EXPECT_EQ(read, big);
}

TEST(WriteAll, ClosedSocketIsAnErrorAndNoSignal) {
  // SIGPIPE keeps its default disposition here: were it raised, the test program would end.
  Result<std::pair<Fd, Fd>> pair = make_socketpair();
  ASSERT_TRUE(pair);
  pair->second.reset();
  EXPECT_FALSE(write_all(pair->first.get(), "x"));
}

TEST(ErrnoError, NamesTheReason) {
  errno = ENOENT;
  EXPECT_EQ(errno_error("what").value().message, "what: No such file or directory");
}

}  // namespace
}  // namespace stest
