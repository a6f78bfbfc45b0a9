#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/os/fd.hpp"

namespace stest {

/// The size of `file`, 0 if there is none.
std::uint64_t file_size_or_zero(const std::filesystem::path& file);

/// The last `count` lines of `file`, each with its newline. Only what follows the byte `from` counts, unless
/// the file has become shorter than that. Empty if there is no such file.
std::string last_lines(const std::filesystem::path& file, int count, std::uint64_t from = 0);

/// Reads what is appended to a file, also after truncation or replacement (rotation), and if it is created
/// later. Holds the file open. Does not wait; the caller must poll.
class LogFollower {
 public:
  /// Begins at the present end of `file`.
  explicit LogFollower(std::filesystem::path file);

  /// What was appended since the last call.
  std::string read_new();

 private:
  bool was_replaced() const;
  bool open_from(std::uint64_t offset);
  std::string read_available();

  std::filesystem::path file_;
  Fd fd_;
  std::uint64_t offset_ = 0;
};

}  // namespace stest
