#pragma once

#include <filesystem>

#include "common/os/fd.hpp"

namespace stest {

/// A file, folder or socket, which is held open (O_PATH) so that no other can get its inode number.
/// Move-only.
class HeldFile {
 public:
  enum class Place { same, gone, replaced };

  /// If `path` cannot be opened, the place counts as `same` for ever.
  explicit HeldFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }

  /// What is at its path now. `same` also if the path cannot be looked up for another reason than that there
  /// is nothing, such as a network file system that does not answer.
  Place place() const;

 private:
  std::filesystem::path path_;
  Fd fd_;
};

}  // namespace stest
