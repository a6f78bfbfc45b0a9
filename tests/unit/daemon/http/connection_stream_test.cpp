#include "daemon/http/connection_stream.hpp"

#include <gtest/gtest.h>

#include "common/os/fd.hpp"

namespace stest {
namespace {

class ConnectionStreamTest : public testing::Test {
 protected:
  std::string read(std::size_t size) {
    std::string data(size, '\0');
    const auto count = stream.read(data.data(), size);
    data.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return data;
  }

  /// As the daemon's sockets are: the stream's end does not block.
  static std::pair<Fd, Fd> make_ends() {
    auto ends = make_socketpair().value();
    EXPECT_TRUE(set_nonblocking(ends.second.get(), true));
    return ends;
  }

  std::pair<Fd, Fd> ends = make_ends();
  Fd client = std::move(ends.first);
  ConnectionStream stream{std::move(ends.second), "head"};
};

TEST_F(ConnectionStreamTest, ReadsWhatWasThereThenTheSocket) {
  ASSERT_TRUE(write_all(client.get(), "body"));
  EXPECT_EQ(read(3), "hea");
  EXPECT_EQ(read(9), "d");
  EXPECT_EQ(read(9), "body");
  client.reset();
  EXPECT_EQ(read(9), "");
}

TEST_F(ConnectionStreamTest, WritesWhileTheClientIsThere) {
  EXPECT_TRUE(stream.is_writable());
  EXPECT_EQ(stream.write("hello", 5), 5);
  EXPECT_EQ(read_some(client.get(), 9)->data, "hello");
  client.reset();
  EXPECT_FALSE(stream.is_writable());
  EXPECT_EQ(stream.write("hello", 5), -1);
}

TEST_F(ConnectionStreamTest, FinishesWithAClientThatStillSends) {
  EXPECT_EQ(stream.write("bye", 3), 3);
  ASSERT_TRUE(write_all(client.get(), std::string(100'000, 'x')));
  ::shutdown(client.get(), SHUT_WR);
  stream.finish();
  EXPECT_EQ(read_some(client.get(), 9)->data, "bye");
  EXPECT_TRUE(read_some(client.get(), 9)->end);
}

}  // namespace
}  // namespace stest
