#pragma once

#include <filesystem>
#include <utility>

#include "stest/error.hpp"

namespace stest {

/// A new folder of ours alone below the system's temporary one; removed with all that is in it.
class ScratchFolder {
 public:
  /// Errors: `internal`; the hint names TMPDIR.
  static Result<ScratchFolder> create();

  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() { remove(); }

  const std::filesystem::path& path() const { return path_; }

  /// Ahead of the end, where this process ends without destructors.
  void remove() const;

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace stest
