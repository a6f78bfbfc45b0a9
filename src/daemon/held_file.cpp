#include "daemon/held_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace stest {

HeldFile::HeldFile(std::filesystem::path path)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)) {}

HeldFile::Place HeldFile::place() const {
  struct stat held {};
  if (!fd_ || ::fstat(fd_.get(), &held) != 0) return Place::same;
  struct stat found {};
  if (::lstat(path_.c_str(), &found) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? Place::gone : Place::same;
  }
  return found.st_dev == held.st_dev && found.st_ino == held.st_ino ? Place::same : Place::replaced;
}

}  // namespace stest
