#include "daemon/http/pending_connections.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "daemon/http/server_socket.hpp"
#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

class PendingConnectionsTest : public testing::Test {
 protected:
  ~PendingConnectionsTest() override {
    pending.stop();
    thread.join();
  }

  Fd connect() const {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.endpoint().socket.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return client;
  }

  /// All that a client gets until the daemon closes the connection.
  static std::string answer(const Fd& client) {
    std::string text;
    for (auto read = read_some(client.get(), 4096); read && !read->end;
         read = read_some(client.get(), 4096)) {
      text += read->data;
    }
    return text;
  }

  std::vector<std::string> taken() {
    std::lock_guard lock(mutex);
    return heads;
  }

  TemporaryFolder folder;
  ServerSocket socket = ServerSocket::at_path(folder.path() / "socket").value();
  std::mutex mutex;
  std::vector<std::string> heads;
  std::atomic<bool> admits = true;
  PendingConnections pending{socket.fd(), [this](int) { return admits.load(); },
                             [this](Fd, std::string received, std::vector<Fd>) {
                               std::lock_guard lock(mutex);
                               heads.push_back(std::move(received));
                             }};
  std::thread thread{[this] { pending.run(); }};
};

TEST_F(PendingConnectionsTest, HandsOverWithTheWholeHeadAlone) {
  const Fd client = connect();
  ASSERT_TRUE(write_all(client.get(), "GET / HTTP/1.1\r\nHost: x\r"));
  EXPECT_TRUE(taken().empty());
  ASSERT_TRUE(write_all(client.get(), "\n\r"));
  ASSERT_TRUE(write_all(client.get(), "\nbody"));
  await([&] { return taken().size() == 1; }, "the head");
  EXPECT_TRUE(taken().front().starts_with("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
}

TEST_F(PendingConnectionsTest, RefusesALargeHead) {
  const Fd client = connect();
  ASSERT_TRUE(write_all(client.get(), std::string(PendingConnections::max_head + 1, 'x')));
  EXPECT_TRUE(answer(client).starts_with("HTTP/1.1 431 "));
}

TEST_F(PendingConnectionsTest, RefusesOtherUsersUnheard) {
  admits = false;
  const Fd client = connect();
  EXPECT_TRUE(answer(client).starts_with("HTTP/1.1 403 "));
}

TEST_F(PendingConnectionsTest, PutsTheOldestOutWhereTooManyWait) {
  std::vector<Fd> clients;
  for (std::size_t i = 0; i <= PendingConnections::max_waiting; ++i) clients.push_back(connect());
  EXPECT_EQ(answer(clients.front()), "");
  ASSERT_TRUE(write_all(clients[1].get(), "GET / HTTP/1.1\r\n\r\n"));
  await([&] { return taken().size() == 1; }, "the second oldest");
}

TEST_F(PendingConnectionsTest, ForgetsClientsThatLeave) {
  for (std::size_t i = 0; i < 3 * PendingConnections::max_waiting; ++i) connect();
  const Fd client = connect();
  ASSERT_TRUE(write_all(client.get(), "GET / HTTP/1.1\r\n\r\n"));
  await([&] { return taken().size() == 1; }, "the one that stays");
}

}  // namespace
}  // namespace stest
