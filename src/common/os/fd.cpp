#include "common/os/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

namespace stest {
namespace {

bool is_socket(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

bool is_would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

/// Changes one flag of a descriptor by the fcntl commands `get` and `set`.
Status change_flag(int fd, int get, int set, int flag, bool on) {
  const int flags = ::fcntl(fd, get);
  if (flags < 0) return errno_error("cannot read a descriptor's flags");
  const int wanted = on ? flags | flag : flags & ~flag;
  if (wanted != flags && ::fcntl(fd, set, wanted) < 0) return errno_error("cannot set a descriptor's flags");
  return {};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  // Not repeated after EINTR: Linux has closed the descriptor already, and another file may have its number.
  if (fd_ >= 0) ::close(release());
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("cannot make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<std::pair<Fd, Fd>> make_socketpair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error("cannot make a socket pair");
  }
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Status set_cloexec(int fd, bool on) { return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on); }

Status set_nonblocking(int fd, bool on) { return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on); }

bool is_denied(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EAFNOSUPPORT || error == EOPNOTSUPP;
}

bool wait_for_events(int fd, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    int limit = -1;
    if (deadline != deadline.max()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      limit = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    pollfd entry{fd, events, 0};
    const int count = ::poll(&entry, 1, limit);
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

// A sandbox may deny `send`, or kill a process that calls it, so it is called only for sockets.
ssize_t write_some(int fd, std::string_view data) {
  if (!is_socket(fd)) return ::write(fd, data.data(), data.size());
  const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
  return sent < 0 && is_denied(errno) ? ::write(fd, data.data(), data.size()) : sent;
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write_some(fd, data);
    if (written >= 0) {
      data.remove_prefix(static_cast<std::size_t>(written));
    } else if (is_would_block(errno)) {
      wait_for_events(fd, POLLOUT);
    } else if (errno != EINTR) {
      return errno_error("cannot write" + path_text(fd));
    }
  }
  return {};
}

Result<ReadResult> read_some(int fd, std::size_t limit) {
  ReadResult result;
  result.data.resize(limit);
  ssize_t count = 0;
  do {
    count = ::read(fd, result.data.data(), limit);
  } while (count < 0 && errno == EINTR);
  const int error = count < 0 ? errno : 0;
  result.data.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  result.would_block = is_would_block(error);
  result.end = (count == 0 && limit > 0) || error == EIO;
  if (error != 0 && !result.would_block && !result.end) return errno_error("cannot read");
  return result;
}

bool is_disk_full(int error) { return error == ENOSPC || error == EDQUOT; }

std::string path_text(int fd) {
  const int kept = errno;
  std::error_code ignored;
  const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored).string();
  errno = kept;
  return path.starts_with('/') ? " " + path : "";
}

tl::unexpected<Error> errno_error(std::string_view what) {
  const int error = errno;
  return fail(ErrorCode::internal, std::string(what) + ": " + std::system_category().message(error),
              is_disk_full(error) ? full_disk_hint : "");
}

}  // namespace stest
