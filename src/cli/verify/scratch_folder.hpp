#pragma once

#include <filesystem>
#include <utility>

#include "stest/error.hpp"

namespace stest {

/// A new private folder in the system's temporary folder. The destructor removes it with its contents.
class ScratchFolder {
 public:
  /// Errors: `internal`; the hint names TMPDIR.
  static Result<ScratchFolder> create();

  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() { remove(); }

  const std::filesystem::path& path() const { return path_; }

  /// For a process that ends without destructors.
  void remove() const;

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace stest
