#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "stest/error.hpp"

namespace stest {

/// Owns one file descriptor; closes it in the destructor. Move-only.
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

/// Whether an error number means that a system call is not permitted or not available, as in a sandbox.
bool is_denied(int error);

/// write(2), without SIGPIPE on a socket. If a sandbox denies send(2), SIGPIPE may come unless the process
/// ignores it.
ssize_t write_some(int fd, std::string_view data);

/// Writes all of `data`, also after EINTR and short writes. SIGPIPE as in `write_some`.
Status write_all(int fd, std::string_view data);

/// Whether one of poll(2)'s `events`, an error or a hang-up comes before the deadline.
bool wait_for_events(
    int fd, short events,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max());

/// The result of `read_some`.
struct ReadResult {
  std::string data;
  bool end = false;          ///< End of file (or EIO of a pty whose other side closed).
  bool would_block = false;  ///< There is no data now.
};
/// Reads at most `limit` bytes by one read(2), which is repeated after EINTR. At the end of the file, and on
/// a non-blocking descriptor without data, `data` is empty.
Result<ReadResult> read_some(int fd, std::size_t limit);

/// " PATH" of an open file; empty for a pipe or socket. Keeps errno.
std::string path_text(int fd);

bool is_disk_full(int error);
constexpr const char* full_disk_hint =
    "Free disk space, or choose another folder: SPRINTEST_DIR for the daemon's files, TMPDIR for temporary "
    "ones.";

/// "what: strerror(errno)" as an `internal` error, with `full_disk_hint` if the disk is full.
tl::unexpected<Error> errno_error(std::string_view what);

}  // namespace stest
