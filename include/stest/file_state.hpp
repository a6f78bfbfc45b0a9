#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace stest {

/// The state of a file or folder, for comparison with a later state. All values are -1 if it does not exist.
/// ctime reveals an edit after which mtime and size were set back, because no program can set ctime.
struct FileState {
  std::int64_t mtime_ns = -1;
  std::int64_t ctime_ns = -1;
  std::int64_t size = -1;
  std::int64_t inode = -1;  ///< All 64 bits; the sign has no meaning.
  bool operator==(const FileState&) const = default;
};

/// Follows symbolic links.
FileState file_state(const std::string& path);
FileState file_state(const struct stat& found);

}  // namespace stest
