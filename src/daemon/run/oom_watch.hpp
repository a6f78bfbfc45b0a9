#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/cgroup.hpp"
#include "common/os/fd.hpp"

namespace stest {

/// Distinguishes an OOM kill from any other SIGKILL, by what the kernel has counted and logged since the
/// watch began. Without such evidence it reports nothing.
class OomWatch {
 public:
  /// Begins now. `pid` is a process in the cgroup of a possible victim.
  explicit OomWatch(int pid);
  /// Uses `cgroup` and `kernel_log` instead of the machine's.
  OomWatch(std::optional<Cgroup> cgroup, Fd kernel_log);

  /// The evidence that the OOM killer has killed `pid`, to follow "the kernel's OOM killer did it: "; nothing
  /// if there is none.
  std::optional<std::string> evidence(int pid) const;

 private:
  std::optional<std::string> counted() const;
  std::optional<std::string> logged(int pid) const;

  std::optional<Cgroup> cgroup_;
  std::optional<std::uint64_t> before_;
  Fd kernel_log_;
};

/// Whether a record of the kernel's log says that the OOM killer killed `pid`.
bool names_oom_victim(std::string_view record, int pid);

}  // namespace stest
