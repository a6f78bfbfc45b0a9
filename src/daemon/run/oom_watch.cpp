#include "daemon/run/oom_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/os/process.hpp"

namespace stest {

namespace {

/// In a container, the kernel's log has other pids.
bool has_pids_of_the_kernel() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/ns/pid", ignored) == "pid:[4026531836]";
}

/// The kernel's log, at its end; nothing if this user may not read it.
Fd open_kernel_log() {
  if (!has_pids_of_the_kernel()) return {};
  Fd log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (log) ::lseek(log.get(), 0, SEEK_END);
  return log;
}

}  // namespace

OomWatch::OomWatch(int pid) : OomWatch(Cgroup::of_memory(pid), open_kernel_log()) {}

OomWatch::OomWatch(std::optional<Cgroup> cgroup, Fd kernel_log)
    : cgroup_(std::move(cgroup)),
      before_(cgroup_ ? cgroup_->oom_kills() : std::nullopt),
      kernel_log_(std::move(kernel_log)) {}

std::optional<std::string> OomWatch::evidence(int pid) const {
  auto found = counted();
  return found ? found : logged(pid);
}

std::optional<std::string> OomWatch::counted() const {
  const auto now = before_ ? cgroup_->oom_kills() : std::nullopt;
  if (!now || *now <= *before_) return std::nullopt;
  const auto limit = cgroup_->limit();
  if (!limit) return "the machine ran out of memory";
  return "the memory limit of " + cgroup_->folder().string() + " is " + mebibytes(*limit);
}

/// Each read returns one record.
std::optional<std::string> OomWatch::logged(int pid) const {
  if (!kernel_log_) return std::nullopt;
  std::array<char, 8192> record;
  for (;;) {
    const auto size = ::read(kernel_log_.get(), record.data(), record.size());
    if (size < 0 && (errno == EPIPE || errno == EINTR)) continue;  // EPIPE: records were overwritten.
    if (size <= 0) return std::nullopt;
    if (names_oom_victim({record.data(), static_cast<std::size_t>(size)}, pid)) {
      return "its log names the process";
    }
  }
}

bool names_oom_victim(std::string_view record, int pid) {
  return record.find("Killed process " + std::to_string(pid) + " (") != record.npos;
}

}  // namespace stest
