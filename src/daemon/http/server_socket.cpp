#include "daemon/http/server_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "daemon/http/access.hpp"

namespace stest {

namespace {

constexpr int backlog = 512;
constexpr int usual_port = 8000;
constexpr int any_port = 0;

std::string reason(int error) { return std::generic_category().message(error); }

tl::unexpected<Error> cannot_listen(const std::string& where, int error, std::string hint) {
  return fail(ErrorCode::daemon_unavailable, "cannot listen at " + where + ": " + reason(error),
              std::move(hint));
}

Fd open_socket(int family) { return Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

/// The number of the error, 0 on success.
int bind_and_listen(const Fd& fd, const sockaddr* address, socklen_t size) {
  const bool listens = ::bind(fd.get(), address, size) == 0 && ::listen(fd.get(), backlog) == 0;
  return listens ? 0 : errno;
}

/// SO_REUSEPORT is not set, because it would let a second daemon listen at the same port.
int listen_on_loopback(Fd& fd, int port) {
  fd = open_socket(AF_INET);
  if (!fd) return errno;
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind_and_listen(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int bound_port(const Fd& fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

}  // namespace

Result<ServerSocket> ServerSocket::at_path(const std::filesystem::path& path) {
  const std::string hint = "Set SPRINTEST_DIR to a folder on a local disk where sockets can be created.";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) return cannot_listen(path, ENAMETOOLONG, hint);
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  Fd fd = open_socket(AF_UNIX);
  // Linux gives the file the mode of the socket, so it has the right mode from the beginning.
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return cannot_listen(path, errno, hint);
  const int error = bind_and_listen(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (error != 0) return cannot_listen(path, error, hint);
  return ServerSocket(std::move(fd), Endpoint{path.string(), 0, ""});
}

Result<ServerSocket> ServerSocket::on_loopback(std::optional<int> port) {
  Fd fd;
  int error = listen_on_loopback(fd, port.value_or(usual_port));
  if (error == EADDRINUSE && !port) error = listen_on_loopback(fd, any_port);
  if (error != 0) {
    return cannot_listen("127.0.0.1:" + std::to_string(port.value_or(usual_port)), error,
                         port ? "SPRINTEST_PORT names this port: choose another one, or unset the variable."
                              : "Set SPRINTEST_PORT to a port that you may use.");
  }
  auto token = make_token();
  if (!token) return tl::unexpected(token.error());
  const int bound = bound_port(fd);
  return ServerSocket(std::move(fd), Endpoint{"", bound, std::move(*token)});
}

ServerSocket::ServerSocket(Fd fd, Endpoint endpoint)
    : fd_(std::move(fd)), endpoint_(std::move(endpoint)), file_(endpoint_.socket) {}

ServerSocket::ServerSocket(ServerSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      endpoint_(std::move(other.endpoint_)),
      file_(std::move(other.file_)),
      has_file_(std::exchange(other.has_file_, false)) {}

void ServerSocket::remove_file() {
  if (!std::exchange(has_file_, false) || endpoint_.socket.empty()) return;
  if (file_.place() != HeldFile::Place::same) return;
  std::error_code ignored;
  std::filesystem::remove(endpoint_.socket, ignored);
}

}  // namespace stest
