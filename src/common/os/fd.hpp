#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>

#include "stest/error.hpp"

namespace stest {

/// Owns one file descriptor; closes it at the end. Move-only.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

/// A pipe, both ends close-on-exec.
Result<Pipe> make_pipe();

/// A connected pair of AF_UNIX stream sockets, both ends close-on-exec.
Result<std::pair<Fd, Fd>> make_socketpair();

/// Sets or clears FD_CLOEXEC.
Status set_cloexec(int fd, bool on);
/// Sets or clears O_NONBLOCK.
Status set_nonblocking(int fd, bool on);

/// Whether the number of an error says that a system call is not allowed here, or not known: by a sandbox.
bool is_denied(int error);

/// write(2), without SIGPIPE on a socket; where a sandbox denies send(2), with it unless the process ignores
/// it.
ssize_t write_some(int fd, std::string_view data);

/// Writes all of `data`, restarting after EINTR and short writes. Never raises SIGPIPE on a socket.
Status write_all(int fd, std::string_view data);

/// Reads at most `limit` bytes that are there now; empty at end of file. EINTR restarts. On a
/// non-blocking descriptor without data: `daemon_unavailable` never; the string is empty and
/// `would_block` is set.
struct ReadResult {
  std::string data;
  bool end = false;          ///< End of file (or EIO of a pty whose other side closed).
  bool would_block = false;  ///< Nothing to read now.
};
Result<ReadResult> read_some(int fd, std::size_t limit);

/// "what: strerror(errno)" as an `internal` error.
tl::unexpected<Error> errno_error(std::string_view what);

}  // namespace stest
