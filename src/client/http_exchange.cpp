#include "client/http_exchange.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "client/backoff.hpp"
#include "client/http_response.hpp"
#include "common/os/passed_fds.hpp"

namespace stest {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds connect_patience = 1s;
constexpr milliseconds busy_patience = 30s;
constexpr milliseconds write_patience = 10s;
constexpr std::size_t read_size = std::size_t{64} * 1024;

/// A non-blocking connection; or nothing, with `errno` set. EAGAIN and EINPROGRESS mean that a daemon listens
/// but is too busy.
Fd connect_to(int family, const sockaddr* address, socklen_t size) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), address, size) == 0) return socket;
  int error = errno;
  if (error == EINPROGRESS && wait_for_events(socket.get(), POLLOUT, Clock::now() + connect_patience)) {
    socklen_t length = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0) return socket;
  }
  socket.reset();
  errno = error;
  return socket;
}

Fd connect_to(const Endpoint& endpoint) {
  if (endpoint.socket.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(endpoint.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.socket.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, endpoint.socket.data(), endpoint.socket.size());
  return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool is_busy(int error) { return error == EAGAIN || error == EINPROGRESS; }

tl::unexpected<Error> no_connection(int error) {
  return fail(
      ErrorCode::daemon_unavailable,
      "cannot connect to the daemon: " + std::generic_category().message(error),
      is_denied(error) ? "`stest doctor` says what is denied here" : "`stest restart` starts a new one");
}

Result<Fd> connect_patiently(const Endpoint& endpoint, milliseconds patience) {
  const auto limit = patience == for_ever ? busy_patience : std::min(patience, busy_patience);
  const auto deadline = Clock::now() + limit;
  for (Backoff backoff;; backoff.wait()) {
    if (Fd socket = connect_to(endpoint)) return socket;
    if (is_busy(errno) && Clock::now() < deadline) continue;
    return no_connection(errno);
  }
}

std::string text_of(const Endpoint& endpoint, const HttpRequest& request) {
  std::string text = request.method + " " + request.path + " HTTP/1.1\r\nHost: ";
  text += endpoint.socket.empty() ? "127.0.0.1:" + std::to_string(endpoint.port) : "localhost";
  text += "\r\nConnection: close\r\n";
  if (!endpoint.token.empty()) text += "Authorization: Bearer " + endpoint.token + "\r\n";
  if (request.method == "POST") {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

/// Sends `text`, as far as the daemon takes it: it may refuse a request before the end. Returns 0, or the
/// number of an error that a sandbox causes.
int send(const Fd& socket, std::string_view text, std::vector<int> fds) {
  while (!text.empty() && wait_for_events(socket.get(), POLLOUT, Clock::now() + write_patience)) {
    const auto count = fds.empty() ? write_some(socket.get(), text) : send_some(socket.get(), text, fds);
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      fds.clear();
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) return is_denied(errno) ? errno : 0;
  }
  return 0;
}

tl::unexpected<Error> no_answer(const std::string& why) {
  return fail(ErrorCode::daemon_unavailable, "the daemon did not answer (" + why + ")",
              "see `stest logs`; `stest restart` starts a new one");
}

}  // namespace

Result<bool> is_listening(const Endpoint& endpoint) {
  if (connect_to(endpoint) || is_busy(errno)) return true;
  if (is_denied(errno)) return no_connection(errno);
  return false;
}

Result<int> exchange(const Endpoint& endpoint, const HttpRequest& request, milliseconds patience,
                     const AnswerSink& sink) {
  const auto socket = connect_patiently(endpoint, patience);
  if (!socket) return tl::unexpected(socket.error());
  if (const int error = send(*socket, text_of(endpoint, request), request.fds); error != 0)
    return no_connection(error);
  bool wants_more = true;
  HttpResponse response([&](std::string_view piece) {
    wants_more = sink(response.status(), piece);
    return wants_more;
  });
  for (bool goes_on = true; goes_on;) {
    const auto deadline = patience == for_ever ? Clock::time_point::max() : Clock::now() + patience;
    if (!wait_for_events(socket->get(), POLLIN, deadline)) {
      return no_answer("it was silent for " + std::to_string(patience.count()) + " ms");
    }
    const auto read = read_some(socket->get(), read_size);
    if (!read) return no_answer(read.error().message);
    goes_on = !read->end && response.take(read->data);
  }
  if (wants_more && !response.is_complete()) return no_answer("its answer is incomplete");
  return response.status();
}

}  // namespace stest
