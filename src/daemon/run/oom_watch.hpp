#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/fd.hpp"
#include "common/os/memory_cgroup.hpp"

namespace stest {

/// Tells an OOM kill from any other SIGKILL, by what the kernel has counted and logged since the watch
/// began. It never guesses: without such a fact it says nothing.
class OomWatch {
 public:
  /// Begins now. `pid` is of the cgroup in which the victim would be.
  explicit OomWatch(int pid);
  /// `cgroup` and `kernel_log` in place of the machine's own.
  OomWatch(std::optional<MemoryCgroup> cgroup, Fd kernel_log);

  /// What speaks for the OOM killer having killed `pid`, to follow "the kernel's OOM killer did it: ";
  /// nothing if nothing does.
  std::optional<std::string> evidence(int pid) const;

 private:
  std::optional<std::string> counted() const;
  std::optional<std::string> logged(int pid) const;

  std::optional<MemoryCgroup> cgroup_;
  std::optional<std::uint64_t> before_;
  Fd kernel_log_;
};

/// Whether a record of the kernel's log says that the OOM killer killed `pid`.
bool names_oom_victim(std::string_view record, int pid);

}  // namespace stest
