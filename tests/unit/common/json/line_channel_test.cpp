#include "common/json/line_channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace stest {
namespace {

class LineChannelTest : public testing::Test {
 protected:
  LineChannelTest() : LineChannelTest(make_socketpair().value()) {}
  explicit LineChannelTest(std::pair<Fd, Fd> pair)
      : left_(std::move(pair.first)), right_(std::move(pair.second)) {}

  static LineChannel::Line next(LineChannel& channel) {
    Result<std::optional<LineChannel::Line>> line = channel.receive();
    EXPECT_TRUE(line) << line.error().message;
    if (line && *line) return std::move(**line);
    ADD_FAILURE() << "the channel ended";
    return {};
  }

  static bool at_end(LineChannel& channel) {
    const auto line = channel.receive();
    EXPECT_TRUE(line) << line.error().message;
    return line && !*line;
  }

  LineChannel left_;
  LineChannel right_;
};

TEST_F(LineChannelTest, PatienceWithAReaderThatDoesNotReadEnds) {
  left_.set_send_patience(std::chrono::milliseconds(50));
  EXPECT_TRUE(left_.send("short"));
  EXPECT_EQ(left_.send(std::string(16u << 20, 'x')).error().code, ErrorCode::worker_failed);
}

/// What is written to `fd`'s pipe by now.
std::string content(const Fd& fd) { return read_some(fd.get(), 100).value().data; }

TEST_F(LineChannelTest, CarriesLinesBothWays) {
  ASSERT_TRUE(left_.send("one"));
  ASSERT_TRUE(right_.send("two"));
  EXPECT_EQ(next(right_).text, "one");
  EXPECT_EQ(next(left_).text, "two");
}

TEST_F(LineChannelTest, SeveralLinesInOneRead) {
  ASSERT_TRUE(write_all(left_.fd(), "a\n\nb\n"));
  EXPECT_FALSE(right_.has_buffered_line());
  EXPECT_EQ(next(right_).text, "a");
  EXPECT_TRUE(right_.has_buffered_line());
  EXPECT_EQ(next(right_).text, "");
  EXPECT_EQ(next(right_).text, "b");
  EXPECT_FALSE(right_.has_buffered_line());
}

TEST_F(LineChannelTest, LineSplitOverReads) {
  std::thread writer([&] {
    for (const char letter : std::string_view("split\nnext\n")) {
      ASSERT_TRUE(write_all(left_.fd(), std::string_view(&letter, 1)));
    }
  });
  EXPECT_EQ(next(right_).text, "split");
  EXPECT_EQ(next(right_).text, "next");
  writer.join();
}

TEST_F(LineChannelTest, EndAfterTheOtherSideClosed) {
  ASSERT_TRUE(left_.send("last"));
  ASSERT_TRUE(write_all(left_.fd(), "torn"));
  left_.shutdown();
  EXPECT_EQ(next(right_).text, "last");
  EXPECT_TRUE(at_end(right_));
  EXPECT_TRUE(at_end(right_));
  EXPECT_FALSE(right_.send("to nobody"));
}

TEST_F(LineChannelTest, EndWhereThePeerClosedWithoutReading) {
  auto [mine, other] = make_socketpair().value();
  LineChannel channel(std::move(mine));
  ASSERT_TRUE(channel.send("never read"));
  other.reset();
  EXPECT_TRUE(at_end(channel));
}

TEST_F(LineChannelTest, ShutdownWakesABlockedReader) {
  std::thread reader([&] { EXPECT_TRUE(at_end(right_)); });
  right_.shutdown();
  reader.join();
}

TEST_F(LineChannelTest, DescriptorsComeWithTheirLine) {
  Result<Pipe> first = make_pipe();
  Result<Pipe> second = make_pipe();
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(left_.send("plain"));
  ASSERT_TRUE(left_.send("both", {first->write.get(), second->write.get()}));
  ASSERT_TRUE(left_.send("after"));
  ASSERT_TRUE(left_.send("one", {first->write.get()}));

  EXPECT_TRUE(next(right_).fds.empty());
  LineChannel::Line both = next(right_);
  ASSERT_EQ(both.fds.size(), 2u);
  EXPECT_NE(::fcntl(both.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_TRUE(write_all(both.fds[0].get(), "1"));
  ASSERT_TRUE(write_all(both.fds[1].get(), "2"));
  EXPECT_EQ(content(first->read), "1");
  EXPECT_EQ(content(second->read), "2");
  EXPECT_TRUE(next(right_).fds.empty());
  EXPECT_EQ(next(right_).fds.size(), 1u);
}

TEST_F(LineChannelTest, DescriptorsOfABigLineAmongOthers) {
  // Big enough for several packets and reads, with whole lines before and after in the same reads.
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const std::string big(1 << 20, 'x');
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(left_.send("small"));
      ASSERT_TRUE(left_.send(big, {pipe->write.get()}));
    }
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(next(right_).fds.empty());
    const LineChannel::Line line = next(right_);
    EXPECT_EQ(line.text.size(), big.size());
    EXPECT_EQ(line.fds.size(), 1u);
  }
  writer.join();
}

TEST_F(LineChannelTest, DescriptorsReachAnotherProcess) {
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const int child = ::fork();
  if (child == 0) {
    pipe->write.reset();
    const auto line = right_.receive();
    const bool sent = line && *line && (*line)->fds.size() == 1 && write_all((*line)->fds[0].get(), "child");
    ::_exit(sent ? 0 : 1);
  }
  ASSERT_TRUE(left_.send("take", {pipe->write.get()}));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(content(pipe->read), "child");
}

TEST_F(LineChannelTest, UnreceivedDescriptorsAreClosed) {
  Result<Pipe> pipe = make_pipe();
  ASSERT_TRUE(pipe);
  {
    auto [mine, other] = make_socketpair().value();
    LineChannel sender(std::move(mine));
    LineChannel receiver(std::move(other));
    ASSERT_TRUE(sender.send("first"));
    ASSERT_TRUE(sender.send("second", {pipe->write.get()}));
    next(receiver);
  }
  pipe->write.reset();
  EXPECT_TRUE(read_some(pipe->read.get(), 1)->end);
}

TEST_F(LineChannelTest, ManyWritersDoNotMixTheirLines) {
  constexpr int kWriters = 4;
  constexpr int kLines = 50;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, letter = static_cast<char>('a' + i)] {
      for (int line = 0; line < kLines; ++line) ASSERT_TRUE(left_.send(std::string(100'000, letter)));
    });
  }
  for (int i = 0; i < kWriters * kLines; ++i) {
    const std::string text = next(right_).text;
    EXPECT_EQ(text, std::string(100'000, text.at(0)));
  }
  for (std::thread& writer : writers) writer.join();
}

TEST_F(LineChannelTest, NonBlockingSocketsWork) {
  ASSERT_TRUE(set_nonblocking(left_.fd(), true));
  ASSERT_TRUE(set_nonblocking(right_.fd(), true));
  const std::string big(1 << 20, 'x');
  std::thread writer([&] { ASSERT_TRUE(left_.send(big)); });
  EXPECT_EQ(next(right_).text, big);
  writer.join();
}

TEST_F(LineChannelTest, RefusesWhatWouldBreakTheLines) {
  EXPECT_FALSE(left_.send("two\nlines"));
  EXPECT_FALSE(left_.send(std::string(LineChannel::max_line + 1, 'x')));
  EXPECT_FALSE(left_.send("bad descriptor", {-1}));
  ASSERT_TRUE(left_.send("fine"));
  EXPECT_EQ(next(right_).text, "fine");
}

TEST_F(LineChannelTest, LongestLineArrivesAndALongerOneIsAnError) {
  std::thread writer([&] {
    ASSERT_TRUE(left_.send(std::string(LineChannel::max_line, 'x')));
    const std::string endless(LineChannel::max_line + (1 << 20), 'y');
    [[maybe_unused]] const Status refused = write_all(left_.fd(), endless);
  });
  EXPECT_EQ(next(right_).text.size(), LineChannel::max_line);
  const auto longer = right_.receive();
  EXPECT_FALSE(longer);
  right_.shutdown();  // Ends the writer.
  writer.join();
}

}  // namespace
}  // namespace stest
