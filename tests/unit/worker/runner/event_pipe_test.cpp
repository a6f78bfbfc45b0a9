#include "worker/runner/event_pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/os/process.hpp"

namespace stest {
namespace {

std::string read_now(int fd) {
  EXPECT_TRUE(set_nonblocking(fd, true));
  const auto result = read_some(fd, 4096);
  return result ? result->data : "error";
}

TEST(EventPipe, WritesOneLinePerEvent) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EventPipe events(std::move(pipe->write));
  events.write({{"event", "a"}});
  events.write({{"event", "b"}});
  EXPECT_EQ(read_now(pipe->read.get()), "{\"event\":\"a\"}\n{\"event\":\"b\"}\n");
}

TEST(EventPipe, ReplacesInvalidUtf8) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EventPipe events(std::move(pipe->write));
  events.write({{"event", "\xff"}});
  EXPECT_EQ(read_now(pipe->read.get()), "{\"event\":\"\xEF\xBF\xBD\"}\n");
}

TEST(EventPipe, NeverWritesIntoAFileThatTookItsNumber) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EventPipe events(std::move(pipe->write));
  // As a test would that closes every descriptor and goes on to open files of its own. The pipe's
  // number is the first free one from 900 upwards.
  FILE* file = ::tmpfile();
  ASSERT_NE(file, nullptr);
  for (int fd = 900; fd < 1000; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) ::dup2(::fileno(file), fd);
  }
  events.write({{"event", "lost"}});
  EXPECT_EQ(::lseek(::fileno(file), 0, SEEK_END), 0);
  ::fclose(file);
}

TEST(EventPipe, IsSilentInProcessesThatTheRunnerForks) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EventPipe events(std::move(pipe->write));
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    events.write({{"event", "a child's"}});
    ::_exit(0);
  }
  wait_for(pid);
  EXPECT_EQ(read_now(pipe->read.get()), "");
}

}  // namespace
}  // namespace stest
