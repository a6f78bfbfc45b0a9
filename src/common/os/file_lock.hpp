#pragma once

#include <filesystem>
#include <optional>

#include "common/os/fd.hpp"

namespace stest {

/// An exclusive `flock` on a file, held until destruction. It belongs to the open file description, so a
/// child that inherits the descriptor holds the same lock. In this way a client passes the daemon's lock on
/// without a gap (see `daemon_launcher.cpp`).
class FileLock {
 public:
  /// Takes the lock without waiting; nothing if another process holds it. Creates the file (0600).
  static Result<std::optional<FileLock>> try_acquire(const std::filesystem::path& path);

  /// Adopts a descriptor that already holds the lock, and makes it close-on-exec.
  static Result<FileLock> adopt(Fd fd);

  /// Writes `pid` into the file, for error messages. Only the lock itself is reliable.
  Status write_holder(int pid);

  int fd() const { return fd_.get(); }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// The pid that the holder wrote into the file, if any; for messages only.
std::optional<int> lock_holder(const std::filesystem::path& path);

}  // namespace stest
