#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace stest {

/// What tells one state of a file or folder from another; all are -1 where there is none. The time of its
/// last change of any kind (ctime) tells of an edit after which time and size were set back: nobody can set
/// that one.
struct FileState {
  std::int64_t mtime_ns = -1;
  std::int64_t ctime_ns = -1;
  std::int64_t size = -1;
  std::int64_t inode = -1;  ///< Of 64 bits, whatever the sign.
  bool operator==(const FileState&) const = default;
};

/// Follows symbolic links.
FileState file_state(const std::string& path);
FileState file_state(const struct stat& found);

}  // namespace stest
