#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace stest {

/// The cgroup that accounts for a process's memory or processor time: of version 1 if the controller is
/// there, else of version 2. Holds no file open.
class Cgroup {
 public:
  /// Nothing if there is none, or if its folder is not mounted here. `proc` is for tests.
  static std::optional<Cgroup> of_memory(int pid, const std::filesystem::path& proc = "/proc") {
    return of(pid, "memory", proc);
  }
  static std::optional<Cgroup> of_processors(int pid, const std::filesystem::path& proc = "/proc") {
    return of(pid, "cpu", proc);
  }

  /// How many of its processes the OOM killer has killed so far. Nothing in the root of version 2, which does
  /// not count them, and with kernels before 4.13.
  std::optional<std::uint64_t> oom_kills() const;

  /// The lowest limit in bytes from here up to the root of the mount; nothing if there is none.
  std::optional<std::uint64_t> limit() const;

  /// The same for the processors that may be busy at a time, on average: 0.5 is half of one.
  std::optional<double> processors() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  static std::optional<Cgroup> of(int pid, const std::string& controller, const std::filesystem::path& proc);
  template <class Value, class Read>
  std::optional<Value> lowest(const Read& read) const;
  Cgroup(std::filesystem::path mount, std::filesystem::path folder, bool is_v2)
      : mount_(std::move(mount)), folder_(std::move(folder)), is_v2_(is_v2) {}

  std::filesystem::path mount_;
  std::filesystem::path folder_;
  bool is_v2_;
};

/// How many processors this process may keep busy on average, by its affinity and the limits of its cgroup.
double usable_processors();

}  // namespace stest
