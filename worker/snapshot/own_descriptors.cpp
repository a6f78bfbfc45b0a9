#include "worker/snapshot/own_descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "common/os/fd.hpp"

namespace stest {

namespace {

/// A larger file is not worth a copy.
constexpr off_t most_copied = off_t{64} << 20;
constexpr unsigned memory_devices = 1;  ///< The major number of /dev/null, /dev/urandom and similar devices.

std::size_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    const auto permissions = line.find(' ') + 1;
    count += line.size() > permissions + 3 && line[permissions + 3] == 's' ? 1 : 0;
  }
  return count;
}

std::string place(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::string name_of(int fd) {
  char target[PATH_MAX];
  const auto size = ::readlink(place(fd).c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : "a descriptor";
}

bool is_nameless(const struct stat& info) { return S_ISREG(info.st_mode) && info.st_nlink == 0; }

bool is_read_only(int fd) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY; }

/// Processes that read such a device, or write to it, do not affect each other.
bool has_no_state(const struct stat& info) {
  return S_ISCHR(info.st_mode) && major(info.st_rdev) == memory_devices;
}

bool can_be_opened_anew(int fd, const struct stat& info) {
  if (is_nameless(info)) return info.st_size <= most_copied;
  return (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) && is_read_only(fd);
}

/// The same file at the same position, opened again so that no other process shares the position.
Fd opened_anew(int fd, const struct stat& info) {
  const int flags = ::fcntl(fd, F_GETFL);
  Fd opened(is_nameless(info) && !is_read_only(fd)
                ? ::memfd_create("copy", MFD_CLOEXEC)
                : ::open(place(fd).c_str(), (flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC));
  if (!opened) ::_exit(1);  // The zygote notices the end of the process.
  if (is_nameless(info) && !is_read_only(fd)) {
    if (!copy_contents(fd, opened.get())) ::_exit(1);
    ::fcntl(opened.get(), F_SETFL, flags);
  }
  ::lseek(opened.get(), ::lseek(fd, 0, SEEK_CUR), SEEK_SET);
  return opened;
}

}  // namespace

std::vector<int> open_descriptors() {
  std::vector<int> open;
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return open;
  while (const dirent* entry = ::readdir(folder)) {
    const int fd = std::atoi(entry->d_name);  // NOLINT(cert-err34-c): "." and ".." are skipped below.
    if (entry->d_name[0] != '.' && fd != ::dirfd(folder)) open.push_back(fd);
  }
  ::closedir(folder);
  return open;
}

bool put_behind(int fd, int file) {
  const bool closes = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
  return ::dup3(file, fd, closes ? O_CLOEXEC : 0) >= 0;
}

bool copy_contents(int from, int to) {
  char buffer[65536];
  off_t offset = 0;
  for (ssize_t size = 0; (size = ::pread(from, buffer, sizeof buffer, offset)) > 0; offset += size) {
    if (!write_all(to, {buffer, static_cast<std::size_t>(size)})) return false;
  }
  return true;
}

OwnDescriptors::OwnDescriptors() : mappings_(shared_mappings()) {
  for (const int fd : open_descriptors()) may_share(fd);
}

void OwnDescriptors::may_share(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) == 0) common_.emplace(info.st_dev, info.st_ino);
}

std::string OwnDescriptors::shared() const {
  for (const int fd : open_descriptors()) {
    struct stat info {};
    if (::fstat(fd, &info) != 0 || has_no_state(info) || can_be_opened_anew(fd, info)) continue;
    if (!common_.contains({info.st_dev, info.st_ino})) return name_of(fd) + " is open";
  }
  return shared_mappings() > mappings_ ? "memory is shared with other processes" : "";
}

void OwnDescriptors::separate() {
  std::map<File, Fd> anew;
  for (const int fd : open_descriptors()) {
    struct stat info {};
    if (::fstat(fd, &info) != 0 || !can_be_opened_anew(fd, info)) continue;
    auto& own = anew[{info.st_dev, info.st_ino}];
    if (!own) own = opened_anew(fd, info);
    if (!put_behind(fd, own.get())) ::_exit(1);
  }
}

}  // namespace stest
