#include "daemon/http/server_socket.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>

#include "client/http_exchange.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

TEST(ServerSocket, IsPrivateAndGoesWithItsOwner) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  std::optional socket = ServerSocket::at_path(path).value();
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_TRUE(is_listening(socket->endpoint()).value());
  const auto moved = std::move(*socket);
  socket.reset();
  EXPECT_TRUE(is_listening(moved.endpoint()).value());
}

TEST(ServerSocket, ReplacesWhatAKilledDaemonLeft) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  {
    const auto first = ServerSocket::at_path(path).value();
    const auto second = ServerSocket::at_path(path).value();
    EXPECT_TRUE(is_listening(second.endpoint()).value());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ServerSocket, LeavesTheSocketOfTheNextDaemonAlone) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  std::optional first = ServerSocket::at_path(path).value();
  const auto second = ServerSocket::at_path(path).value();
  first.reset();
  EXPECT_TRUE(is_listening(second.endpoint()).value());
}

TEST(ServerSocket, SaysWhyItCannotListen) {
  const auto socket = ServerSocket::at_path("/no/such/folder/socket");
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, ErrorCode::daemon_unavailable);
  EXPECT_NE(socket.error().message.find("/no/such/folder/socket: No such file"), std::string::npos);
  EXPECT_FALSE(ServerSocket::at_path(std::string(108, 'x')));
}

TEST(ServerSocket, TakesAnotherPortOnlyWhereNoneWasAskedFor) {
  const auto any = ServerSocket::on_loopback(std::nullopt).value();
  const auto other = ServerSocket::on_loopback(std::nullopt).value();
  EXPECT_NE(any.endpoint().port, other.endpoint().port);
  EXPECT_NE(any.endpoint().token, other.endpoint().token);
  EXPECT_TRUE(is_listening(other.endpoint()).value());
  const auto taken = ServerSocket::on_loopback(any.endpoint().port);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find("127.0.0.1:" + std::to_string(any.endpoint().port)),
            std::string::npos);
  EXPECT_NE(taken.error().hint.find("SPRINTEST_PORT"), std::string::npos);
}

}  // namespace
}  // namespace stest
