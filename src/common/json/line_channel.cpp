#include "common/json/line_channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "common/os/passed_fds.hpp"

namespace stest {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} * 1024;

/// Whether to repeat the call that has just failed. If it would have blocked, waits first.
bool should_retry(int fd, short event, int timeout_ms) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
  pollfd entry{fd, event, 0};
  if (::poll(&entry, 1, timeout_ms) != 0) return true;
  errno = ETIMEDOUT;
  return false;
}

}  // namespace

Status LineChannel::send(std::string_view text, const std::vector<int>& fds) {
  if (text.size() > max_line) return fail(ErrorCode::internal, "a line for the channel is too long");
  if (text.find('\n') != text.npos) return fail(ErrorCode::internal, "a line for the channel has a newline");
  if (fds.size() > max_passed_fds) return fail(ErrorCode::internal, "too many descriptors for one line");
  const std::lock_guard lock(write_mutex_);
  const std::size_t size = text.size() + 1;
  std::size_t sent = 0;
  while (sent < size) {
    const Result<std::size_t> count = send_part(text, sent, fds);
    if (!count) return tl::unexpected(count.error());
    sent += *count;
  }
  return {};
}

Result<std::size_t> LineChannel::send_part(std::string_view text, std::size_t from,
                                           const std::vector<int>& fds) {
  char newline = '\n';
  std::array<iovec, 2> parts{{{const_cast<char*>(text.data()), text.size()}, {&newline, 1}}};
  const bool only_newline = from >= text.size();
  if (!only_newline) {
    parts[0].iov_base = const_cast<char*>(text.data()) + from;
    parts[0].iov_len = text.size() - from;
  }
  msghdr message{};
  message.msg_iov = only_newline ? &parts[1] : parts.data();
  message.msg_iovlen = only_newline ? 1 : 2;
  ControlBuffer control;
  if (from == 0) attach(message, control, fds);
  while (true) {
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (should_retry(socket_.get(), POLLOUT, send_patience_ms_)) continue;
    if (errno == ETIMEDOUT)
      return fail(ErrorCode::worker_failed, "the other side of the channel does not read");
    return errno_error("cannot send on the channel");
  }
}

Result<std::optional<LineChannel::Line>> LineChannel::receive() {
  while (lines_.empty()) {
    const Result<bool> more = read_more();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return std::optional<Line>{};
  }
  std::optional<Line> line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

Result<bool> LineChannel::read_more() {
  std::array<char, kReadSize> bytes;
  iovec part{bytes.data(), bytes.size()};
  ControlBuffer control;
  msghdr message{};
  ssize_t count = 0;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && should_retry(socket_.get(), POLLIN, -1));
  // A peer that closes without reading everything resets the connection. This is a normal end.
  if (count == 0 || (count < 0 && errno == ECONNRESET)) return false;
  if (count < 0) return errno_error("cannot receive on the channel");
  std::vector<Fd> fds = detach(message);
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return fail(ErrorCode::internal, "descriptors were lost on the channel", "Raise `ulimit -n`.");
  }
  split({bytes.data(), static_cast<std::size_t>(count)}, std::move(fds));
  if (partial_.text.size() > max_line) return fail(ErrorCode::internal, "a line on the channel is too long");
  return true;
}

void LineChannel::split(std::string_view bytes, std::vector<Fd> fds) {
  for (std::size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
    partial_.text += bytes.substr(0, end);
    lines_.push_back(std::exchange(partial_, {}));
    bytes.remove_prefix(end + 1);
  }
  partial_.text += bytes;
  // Descriptors are sent with the first byte of their line, and the kernel ends a read with the packet that
  // has some. So they belong to the last line that begins in these bytes.
  std::vector<Fd>& owner = bytes.empty() ? lines_.back().fds : partial_.fds;
  for (Fd& fd : fds) owner.push_back(std::move(fd));
}

void LineChannel::shutdown() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace stest
