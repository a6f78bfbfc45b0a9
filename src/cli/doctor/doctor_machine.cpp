#include "cli/doctor/doctor_machine.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "common/os/fd.hpp"
#include "common/os/process.hpp"
#include "common/os/surroundings.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
/// With less space, even the small files daemon.log, status.json and preload.json may fail soon.
constexpr std::uint64_t least_space = 16 * mebibyte;
constexpr std::uint64_t little_space = 256 * mebibyte;
constexpr std::uint64_t least_files = 100;
/// torch alone needs 250 MiB and more.
constexpr std::uint64_t little_memory = 1024 * mebibyte;
/// A daemon with its worker and some runs needs fewer than this.
constexpr std::uint64_t few_descriptors = 256;
constexpr std::uint64_t few_watches = 8192;

std::string why() { return std::generic_category().message(errno); }

std::string mode_text(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return why();
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(info.st_mode & 07777));
  return text;
}

std::optional<std::uint64_t> read_number(const fs::path& file) {
  std::ifstream stream(file);
  std::uint64_t number = 0;
  if (stream >> number) return number;
  return std::nullopt;
}

}  // namespace

Finding check_state_folder(const RuntimePaths& paths) {
  const std::string name = "state folder";
  if (const auto made = ensure_directories(paths); !made) {
    return failure(name, made.error().message, made.error().hint);
  }
  for (const auto& file : {paths.status_file, paths.lock_file, paths.log_file, paths.preload_file}) {
    if (::access(file.c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    return failure(name, file.string() + ": " + why(),
                   "Remove it, or make it yours and writable: chown, chmod u+rw.");
  }
  return fine(name, paths.directory.string() + ", mode " + mode_text(paths.directory));
}

Finding check_disk(const fs::path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) {
    return warning("disk", folder.string() + ": " + why(), "Check that the file system is mounted.");
  }
  // File systems without a table of inodes report 0 of 0.
  const auto files = info.f_files == 0 ? least_files : static_cast<std::uint64_t>(info.f_favail);
  return judge_space(static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize, files, folder);
}

Finding judge_space(std::uint64_t bytes, std::uint64_t files, const fs::path& folder) {
  const auto remedy = "Free space there, or choose another folder with SPRINTEST_DIR.";
  const auto detail = mebibytes(bytes) + " free in " + folder.string();
  if (files < least_files) return failure("disk", "no inodes left in " + folder.string(), remedy);
  if (bytes < least_space) return failure("disk", detail, remedy);
  return bytes < little_space ? warning("disk", detail, remedy) : fine("disk", detail);
}

Finding check_proc(const fs::path& proc) {
  if (const auto problem = proc_problem()) {
    return failure("proc", *problem,
                   "The daemon needs /proc of its PID namespace: unshare --mount-proc, bwrap --proc /proc.");
  }
  const auto own = proc / std::to_string(::getpid()) / "stat";
  if (::access(own.c_str(), R_OK) == 0) return fine("proc", proc.string() + " is mounted");
  return failure("proc", own.string() + ": " + why(),
                 "The daemon needs /proc: mount -t proc proc /proc, or start the container with it.");
}

Finding check_inotify(const fs::path& proc) {
  const auto folder = proc / "sys" / "fs" / "inotify";
  const auto watches = read_number(folder / "max_user_watches");
  const auto instances = read_number(folder / "max_user_instances");
  if (!watches || !instances) return fine("inotify", "not available; stest works without it");
  const auto detail = std::to_string(*watches) + " watches, " + std::to_string(*instances) + " instances";
  const Fd instance(::inotify_init1(IN_CLOEXEC));
  if (!instance) {
    return warning("inotify", detail + "; all in use (" + why() + ")",
                   "stest works without it. For other tools: sysctl fs.inotify.max_user_instances=1024");
  }
  if (*watches >= few_watches) return fine("inotify", detail);
  return warning("inotify", detail + "; few for a project with many folders",
                 "stest works without it. For other tools: sysctl fs.inotify.max_user_watches=524288");
}

Finding check_memory(std::optional<std::uint64_t> limit, const std::string& cgroup) {
  if (!limit) return fine("memory", "no limit by a cgroup");
  const auto detail = "limited to " + mebibytes(*limit) + " by " + cgroup;
  if (*limit >= little_memory) return fine("memory", detail);
  return warning("memory", detail + ": the worker keeps what it imports, and a run may need as much again",
                 "Raise the limit of the container or service; memory_limit limits the worker.");
}

Finding check_open_files(std::uint64_t soft, std::uint64_t hard) {
  const auto detail = std::to_string(soft) + " descriptors at most (ulimit -n)";
  if (soft >= few_descriptors) return fine("open files", detail);
  return warning("open files", detail + "; the daemon, its worker and the tests may need more",
                 "ulimit -n " + std::to_string(std::min<std::uint64_t>(hard, 1024)) + ", then stest restart");
}

}  // namespace stest
