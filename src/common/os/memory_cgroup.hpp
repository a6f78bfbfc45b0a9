#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace stest {

/// The cgroup that accounts for a process's memory, of version 2, or of version 1 where the memory
/// controller is there. Reads what the kernel shows; holds nothing open.
class MemoryCgroup {
 public:
  /// Nothing where there is none, or its folder is not mounted here. `proc` is for tests.
  static std::optional<MemoryCgroup> of(int pid, const std::filesystem::path& proc = "/proc");

  /// How many of its processes the OOM killer has killed so far. Nothing in the root of version 2, which
  /// does not count, and where the kernel is older than 4.13.
  std::optional<std::uint64_t> oom_kills() const;

  /// The tightest limit in bytes from here to the top of what is mounted; nothing where there is none.
  std::optional<std::uint64_t> limit() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  MemoryCgroup(std::filesystem::path mount, std::filesystem::path folder, bool is_v2)
      : mount_(std::move(mount)), folder_(std::move(folder)), is_v2_(is_v2) {}

  std::filesystem::path mount_;
  std::filesystem::path folder_;
  bool is_v2_;
};

}  // namespace stest
