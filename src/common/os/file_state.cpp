#include "stest/file_state.hpp"

#include "common/os/nanoseconds.hpp"

namespace stest {

FileState file_state(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? file_state(found) : FileState{};
}

FileState file_state(const struct stat& found) {
  return {nanoseconds(found.st_mtim), nanoseconds(found.st_ctim), found.st_size,
          static_cast<std::int64_t>(found.st_ino)};
}

}  // namespace stest
