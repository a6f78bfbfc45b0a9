#include "client/daemon_list.hpp"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>

#include "common/os/python_executable.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view deleted_mark = " (deleted)";

fs::path proc_folder(int pid) { return "/proc/" + std::to_string(pid); }

bool is_own(int pid) {
  struct stat info {};
  return ::stat(proc_folder(pid).c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

/// What a link in /proc says; empty if it cannot be read.
std::string link_text(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).string();
}

/// The strings of a file in /proc that ends each with a NUL.
std::vector<std::string> nul_strings(const fs::path& file) {
  const auto text = read_file(file);
  std::vector<std::string> all;
  if (!text || !*text) return all;
  for (std::size_t begin = 0; begin < (*text)->size();) {
    const auto end = std::min((*text)->find('\0', begin), (*text)->size());
    all.push_back((*text)->substr(begin, end - begin));
    begin = end + 1;
  }
  return all;
}

/// The environment with which the process was started.
Environment environment_of(int pid) {
  Environment env;
  for (const auto& entry : nul_strings(proc_folder(pid) / "environ")) {
    const auto equals = entry.find('=');
    if (equals == entry.npos || equals == 0) continue;
    env.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return env;
}

/// The value of `--root`; empty if there is none.
fs::path root_argument(int pid) {
  constexpr std::string_view option = "--root";
  const auto args = nul_strings(proc_folder(pid) / "cmdline");
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args[i] == option && i + 1 < args.size()) return args[i + 1];
    if (args[i].starts_with("--root=")) return args[i].substr(option.size() + 1);
  }
  return {};
}

/// The path of an open file with this name, also if it has been deleted.
std::optional<fs::path> open_file(int pid, const fs::path& name) {
  std::error_code error;
  for (fs::directory_iterator entry(proc_folder(pid) / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    auto target = link_text(entry->path());
    if (target.ends_with(deleted_mark)) target.resize(target.size() - deleted_mark.size());
    if (fs::path(target).filename() == name) return target;
  }
  return std::nullopt;
}

/// A client names the root by an absolute path, a person who starts `stestd` may not. The daemon has left the
/// folder that a relative path counts from. It is known from the lock, or from the shell.
fs::path absolute_root(int pid, const fs::path& root, const Environment& env) {
  if (root.empty() || root.is_absolute()) return root;
  const auto lock = open_file(pid, "daemon.lock");
  if (lock && lock->parent_path().filename() == ".sprintest") return lock->parent_path().parent_path();
  return value_of(env, "PWD") / root;
}

bool shares_files(int pid) {
  const auto& own = own_surroundings();
  const auto mounts = own.find("mnt");
  return mounts == own.end() || link_text(proc_folder(pid) / "ns/mnt") == mounts->second;
}

std::int64_t start_in_seconds(const ProcessIdentity& process) {
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto after_boot = static_cast<std::int64_t>(process.start_time) / ::sysconf(_SC_CLK_TCK);
  return std::time(nullptr) - since_boot.tv_sec + after_boot;
}

void measure(FoundDaemon& daemon) {
  auto family = descendants(daemon.process.pid);
  family.push_back(daemon.process.pid);
  for (const int pid : family) {
    const auto memory = proportional_memory(pid);
    if (!memory) continue;
    daemon.memory += *memory;
    ++daemon.processes;
  }
}

/// Takes "PATH/stestd (deleted)" apart. Nothing if it is not a `stestd`.
std::optional<FoundDaemon> by_executable(const ProcessIdentity& process) {
  auto executable = link_text(proc_folder(process.pid) / "exe");
  const bool is_deleted = executable.ends_with(deleted_mark);
  if (is_deleted) executable.resize(executable.size() - deleted_mark.size());
  FoundDaemon daemon;
  daemon.process = process;
  daemon.executable = executable;
  daemon.is_executable_deleted = is_deleted;
  if (daemon.executable.filename() != "stestd") return std::nullopt;
  return daemon;
}

std::optional<FoundDaemon> examine_process(const ProcessIdentity& process) {
  auto daemon = is_own(process.pid) ? by_executable(process) : std::nullopt;
  if (!daemon) return std::nullopt;
  const auto env = environment_of(process.pid);
  const auto root = absolute_root(process.pid, root_argument(process.pid), env);
  if (root.empty()) return std::nullopt;
  daemon->paths = runtime_paths(root, env);
  const bool has_same_files = shares_files(process.pid);
  if (has_same_files) daemon->status = read_status(daemon->paths.status_file);
  if (daemon->status && daemon->status->process != process) daemon->status.reset();
  const bool holds_lock = open_file(process.pid, daemon->paths.lock_file.filename()).has_value();
  if (!daemon->status && !holds_lock) return std::nullopt;
  std::error_code error;
  daemon->is_root_gone = has_same_files && !fs::is_directory(daemon->paths.root, error);
  daemon->python = daemon->status ? fs::path(daemon->status->python)
                                  : python_executable(daemon->executable.parent_path(), env);
  daemon->started_at = start_in_seconds(process);
  return daemon;
}

/// Between fork() and exec(), a child of a daemon looks like another daemon.
bool is_child_before_exec(const FoundDaemon& daemon, int parent, const std::vector<FoundDaemon>& all) {
  return !daemon.status && std::any_of(all.begin(), all.end(), [&](const FoundDaemon& other) {
    return other.process.pid == parent && other.paths.root == daemon.paths.root;
  });
}

}  // namespace

std::vector<FoundDaemon> find_daemons() {
  std::vector<FoundDaemon> found;
  std::map<int, int> parents;
  for (const auto& view : living_processes()) {
    if (auto daemon = examine_process(view.identity)) found.push_back(std::move(*daemon));
    parents[view.identity.pid] = view.parent;
  }
  const auto all = found;
  std::erase_if(found, [&](const FoundDaemon& daemon) {
    return is_child_before_exec(daemon, parents[daemon.process.pid], all);
  });
  for (auto& daemon : found) measure(daemon);
  std::sort(found.begin(), found.end(), [](const FoundDaemon& one, const FoundDaemon& other) {
    return one.process.start_time > other.process.start_time;
  });
  return found;
}

}  // namespace stest
