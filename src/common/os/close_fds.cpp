#include "common/os/close_fds.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <vector>

#include "common/os/process.hpp"

namespace stest {
namespace {

bool close_range(unsigned first, unsigned last) {
  if (first > last) return true;
#ifdef SYS_close_range
  return ::syscall(SYS_close_range, first, last, 0u) == 0;
#else
  return false;
#endif
}

/// Closes the ranges between the kept descriptors; false if the kernel (before 5.9) cannot do this.
bool close_by_range(int first, const int* keep, std::size_t count) {
  unsigned next = static_cast<unsigned>(first);
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned kept = static_cast<unsigned>(keep[i]);
    if (keep[i] < first) continue;
    if (kept > next && !close_range(next, kept - 1)) return false;
    next = kept + 1;
  }
  return close_range(next, UINT_MAX);
}

/// The number in `name`, or -1.
int parse_fd(const char* name) {
  int fd = 0;
  if (*name == '\0') return -1;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9') return -1;
    fd = fd * 10 + (*name - '0');
  }
  return fd;
}

}  // namespace

void close_fds_by_listing(int first, const int* keep, std::size_t count) {
  const int listing = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) return;
  alignas(dirent64) char buffer[4096];
  long size = 0;  // Read by the system call itself, because opendir() allocates memory.
  while ((size = ::syscall(SYS_getdents64, listing, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < size;) {
      // The kernel's linux_dirent64 has the layout of glibc's dirent64.
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const int fd = parse_fd(entry->d_name);
      if (fd >= first && fd != listing && !std::binary_search(keep, keep + count, fd)) ::close(fd);
    }
  }
  ::close(listing);
}

void close_fds_from(int first, const int* keep, std::size_t count) {
  if (!close_by_range(first, keep, count)) close_fds_by_listing(first, keep, count);
}

void close_other_fds(const std::vector<int>& keep) {
  std::vector<int> sorted = keep;
  std::sort(sorted.begin(), sorted.end());
  close_fds_from(3, sorted.data(), sorted.size());
}

}  // namespace stest
