#include "common/os/passed_fds.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace stest {
namespace {

TEST(PassedFds, TravelWithTheBytes) {
  auto sockets = make_socketpair().value();
  auto pipe = make_pipe().value();
  ASSERT_EQ(send_some(sockets.first.get(), "text", {pipe.write.get()}), 4);
  std::vector<Fd> fds;
  EXPECT_EQ(receive_some(sockets.second.get(), 16, fds).value().data, "text");
  ASSERT_EQ(fds.size(), 1u);
  ASSERT_TRUE(write_all(fds.front().get(), "through"));
  EXPECT_EQ(read_some(pipe.read.get(), 16).value().data, "through");
}

TEST(PassedFds, TellTheEnd) {
  auto sockets = make_socketpair().value();
  sockets.first.reset();
  std::vector<Fd> fds;
  EXPECT_TRUE(receive_some(sockets.second.get(), 16, fds).value().end);
}

}  // namespace
}  // namespace stest
