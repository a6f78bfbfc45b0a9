#include "common/os/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

namespace stest {
namespace {

/// Returns 0, or the error number.
int lock_now(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_acquire(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno_error("cannot open the lock file " + path.string());
  const int error = lock_now(fd.get());
  if (error == 0) return FileLock(std::move(fd));
  if (error == EWOULDBLOCK) return std::optional<FileLock>{};
  errno = error;
  return errno_error("cannot lock " + path.string());
}

Result<FileLock> FileLock::adopt(Fd fd) {
  // If the descriptor holds the lock already, locking it again changes nothing. Otherwise it fails.
  if (const int error = lock_now(fd.get()); error != 0) {
    errno = error;
    return errno_error("the inherited descriptor does not hold the lock");
  }
  if (Status status = set_cloexec(fd.get(), true); !status) return tl::unexpected(status.error());
  return FileLock(std::move(fd));
}

Status FileLock::write_holder(int pid) {
  const std::string text = std::to_string(pid) + "\n";
  if (::ftruncate(fd_.get(), 0) != 0)
    return errno_error("cannot truncate the lock file" + path_text(fd_.get()));
  ::lseek(fd_.get(), 0, SEEK_SET);
  return write_all(fd_.get(), text);
}

std::optional<int> lock_holder(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  const Result<ReadResult> text = read_some(fd.get(), 32);
  if (!text) return std::nullopt;
  const char* end = text->data.data() + text->data.size();
  int pid = 0;
  const auto [rest, error] = std::from_chars(text->data.data(), end, pid);
  if (error != std::errc{} || pid <= 0 || (rest != end && *rest != '\n')) return std::nullopt;
  return pid;
}

}  // namespace stest
