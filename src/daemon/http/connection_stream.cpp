#include "daemon/http/connection_stream.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace stest {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds finish_patience{2};
constexpr std::size_t dropped_at_once = 64u << 10;

/// Whether the client has closed its side. This happens also when it ends or is killed.
bool has_hung_up(int fd) {
  char byte = 0;
  const auto count = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace

ConnectionStream::ConnectionStream(Fd connection, std::string received)
    : connection_(std::move(connection)),
      received_(std::move(received)),
      deadline_(Clock::now() + body_patience) {}

bool ConnectionStream::is_writable() const {
  wait_for_events(connection_.get(), POLLOUT);
  return !has_hung_up(connection_.get());
}

bool ConnectionStream::wait_for_input() const {
  return taken_ < received_.size() || wait_for_events(connection_.get(), POLLIN, deadline_);
}

ssize_t ConnectionStream::read(char* data, std::size_t size) {
  if (taken_ < received_.size()) {
    const auto count = std::min(size, received_.size() - taken_);
    std::memcpy(data, received_.data() + taken_, count);
    taken_ += count;
    return static_cast<ssize_t>(count);
  }
  while (wait_for_input()) {
    const auto count = ::recv(connection_.get(), data, size, 0);
    if (count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return count;
  }
  return -1;
}

ssize_t ConnectionStream::write(const char* data, std::size_t size) {
  while (is_writable()) {
    const auto count = write_some(connection_.get(), {data, size});
    if (count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return count;
  }
  return -1;
}

void ConnectionStream::finish() {
  ::shutdown(connection_.get(), SHUT_WR);
  const auto deadline = Clock::now() + finish_patience;
  std::string dropped(dropped_at_once, '\0');
  while (Clock::now() < deadline && wait_for_events(connection_.get(), POLLIN, deadline)) {
    if (::recv(connection_.get(), dropped.data(), dropped.size(), 0) <= 0) return;
  }
}

}  // namespace stest
