// The declarations of a fortified <fcntl.h> are definitions, of the very functions that are defined here.
#undef _FORTIFY_SOURCE

#include "file_reads.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/in_parts.hpp"
#include "common/nanoseconds.hpp"

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
#define STEST_INTERPOSES_FILES 1
#endif

namespace stest::file_reads {

namespace {

/// File times come from the kernel's coarse clock, whose tick is 1 to 10 ms.
constexpr std::int64_t tick_ns = 20'000'000;

/// What tells one state of a path from another.
struct State {
  mode_t type = 0;  ///< 0: there is nothing.
  dev_t device = 0;
  ino_t inode = 0;
  // Of regular files only.
  off_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  ///< Unlike the one before, nobody can set it back.

  friend bool operator==(const State& a, const State& b) = default;
};

using Names = std::vector<std::string>;

struct Seen {
  State state;
  bool is_settled = true;
  bool is_opened = false;
  std::optional<Names> names;  ///< Of a folder that was listed.
};

/// Never destroyed: files are opened until the very end.
struct Log {
  std::mutex mutex;
  std::vector<std::string> exempt;
  std::map<std::string, Seen, std::less<>> seen;
};
Log& the_log() {
  static auto* log = new Log;
  return *log;
}
std::atomic<bool> is_recording{false};
/// What is looked at to take something down is not itself to be taken down.
thread_local bool is_busy = false;

class Busy {
 public:
  Busy() { is_busy = true; }
  ~Busy() { is_busy = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
};

State state_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  State state{info.st_mode & S_IFMT, info.st_dev, info.st_ino};
  if (S_ISREG(info.st_mode)) {
    state.size = info.st_size;
    state.modified_ns = nanoseconds(info.st_mtim);
    state.changed_ns = nanoseconds(info.st_ctim);
  }
  return state;
}

bool was_written_just_now(const State& state) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now) - state.changed_ns < tick_ns;
}

/// What a folder holds, but for what pytest and Python leave there themselves.
Names names_in(const std::string& path) {
  constexpr std::array<std::string_view, 4> ours{".", "..", "__pycache__", ".pytest_cache"};
  Names names;
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::find(ours.begin(), ours.end(), entry->d_name) == ours.end()) names.emplace_back(entry->d_name);
  }
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

bool has_changed(const std::pair<const std::string, Seen>* entry) {
  const Busy busy;  // In each thread.
  const auto& [path, seen] = *entry;
  return !seen.is_settled || state_of(path) != seen.state || (seen.names && names_in(path) != *seen.names);
}

std::string where(int folder) {
  char target[PATH_MAX];
  if (folder == AT_FDCWD) return ::getcwd(target, sizeof target) != nullptr ? target : "";
  const auto link = "/proc/self/fd/" + std::to_string(folder);
  const auto size = ::readlink(link.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : "";
}

/// Below a file there is nothing for as long as it is one: then it is the file that is looked at. pytest asks
/// whether each file that it comes across is a virtual environment.
std::string what_decides(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0 && errno == ENOTDIR && path.size() > 1) {
    path.resize(path.find_last_of('/'));
  }
  return path;
}

bool is_exempt(const Log& log, std::string_view path) {
  return path.find("/__pycache__") != path.npos ||
         std::any_of(log.exempt.begin(), log.exempt.end(),
                     [path](const std::string& prefix) { return path.starts_with(prefix); });
}

enum class How { looked_at, opened, listed };

[[maybe_unused]] void note(int folder, const char* name, How how = How::looked_at) {
  if (!is_recording || is_busy || name == nullptr) return;
  const Busy busy;
  const int error = errno;
  std::string path = name;
  if (path.empty() || path.front() != '/') path = path.empty() ? where(folder) : where(folder) + '/' + path;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  if (path.starts_with('/') && !is_exempt(log, path)) {  // A pipe has another kind of name.
    if (!log.seen.contains(path)) path = what_decides(std::move(path));
    const auto [entry, is_new] = log.seen.try_emplace(path);
    if (is_new) {
      entry->second.state = state_of(path);
      entry->second.is_settled = !was_written_just_now(entry->second.state);
    }
    if (how == How::opened) entry->second.is_opened = true;
    if (how == How::listed && !entry->second.names) entry->second.names = names_in(path);
  }
  errno = error;
}

}  // namespace

bool is_supported() {
#ifdef STEST_INTERPOSES_FILES
  return true;
#else
  return false;
#endif
}

void start(std::vector<std::string> exempt) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.exempt = std::move(exempt);
  log.seen.clear();
  is_recording = true;
}

void stop() { is_recording = false; }

std::optional<std::string> changed() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<const std::pair<const std::string, Seen>*> all;
  all.reserve(log.seen.size());
  for (const auto& entry : log.seen) all.push_back(&entry);
  const auto found = find_in_parts(all, has_changed);
  return found == all.end() ? std::nullopt : std::optional((*found)->first);
}

std::vector<std::string> files() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<std::string> found;
  for (const auto& [path, seen] : log.seen) {
    if (seen.state.type == 0 || S_ISREG(seen.state.type)) found.push_back(path);
  }
  return found;
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

bool written_since(std::int64_t time_ns) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  return std::any_of(log.seen.begin(), log.seen.end(), [&](const auto& entry) {
    const auto& [path, seen] = entry;
    return seen.is_opened && seen.state.changed_ns >= time_ns && path.find("/.pytest_cache/") == path.npos;
  });
}

std::vector<std::string> folders() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::set<std::string> found;
  for (const auto& [path, seen] : log.seen) {
    if (seen.names) found.insert(path);
    found.insert(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
  }
  return {found.begin(), found.end()};
}

}  // namespace stest::file_reads

// ---- the functions of the C library

#ifdef STEST_INTERPOSES_FILES

namespace {

using stest::file_reads::How;
using stest::file_reads::note;

/// The definition that would have been called without ours.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// `open` has a third argument where it may make a file.
mode_t mode_argument(int flags, va_list arguments) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

#define STEST_NEXT(name) \
  static auto* const original = next<decltype(name)>(#name)  // NOLINT(bugprone-macro-parentheses)

#define STEST_OPEN(name)                                 \
  int name(const char* path, int flags, ...) {           \
    STEST_NEXT(name);                                    \
    va_list arguments;                                   \
    va_start(arguments, flags);                          \
    const mode_t mode = mode_argument(flags, arguments); \
    va_end(arguments);                                   \
    note(AT_FDCWD, path, How::opened);                   \
    return original(path, flags, mode);                  \
  }

#define STEST_OPENAT(name)                                 \
  int name(int folder, const char* path, int flags, ...) { \
    STEST_NEXT(name);                                      \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_argument(flags, arguments);   \
    va_end(arguments);                                     \
    note(folder, path, How::opened);                       \
    return original(folder, path, flags, mode);            \
  }

#define STEST_STAT(name, info_type)                             \
  int name(const char* path, struct info_type* info) noexcept { \
    STEST_NEXT(name);                                           \
    note(AT_FDCWD, path);                                       \
    return original(path, info);                                \
  }

#define STEST_FSTATAT(name, info_type)                                                 \
  int name(int folder, const char* path, struct info_type* info, int flags) noexcept { \
    STEST_NEXT(name);                                                                  \
    note(folder, path);                                                                \
    return original(folder, path, info, flags);                                        \
  }

#define STEST_FOPEN(name)                          \
  FILE* name(const char* path, const char* mode) { \
    STEST_NEXT(name);                              \
    note(AT_FDCWD, path, How::opened);             \
    return original(path, mode);                   \
  }

// What a fortified program calls where there is no third argument.
extern "C" {
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int folder, const char* path, int flags);
int __openat64_2(int folder, const char* path, int flags);

#pragma GCC visibility push(default)

STEST_OPEN(open)
STEST_OPEN(open64)
STEST_OPENAT(openat)
STEST_OPENAT(openat64)
STEST_FOPEN(fopen)
STEST_FOPEN(fopen64)
STEST_STAT(stat, stat)
STEST_STAT(stat64, stat64)
STEST_STAT(lstat, stat)
STEST_STAT(lstat64, stat64)
STEST_FSTATAT(fstatat, stat)
STEST_FSTATAT(fstatat64, stat64)

int __open_2(const char* path, int flags) { return open(path, flags); }
int __open64_2(const char* path, int flags) { return open64(path, flags); }
int __openat_2(int folder, const char* path, int flags) { return openat(folder, path, flags); }
int __openat64_2(int folder, const char* path, int flags) { return openat64(folder, path, flags); }

int statx(int folder, const char* path, int flags, unsigned mask, struct statx* info) noexcept {
  STEST_NEXT(statx);
  note(folder, path);
  return original(folder, path, flags, mask, info);
}

int access(const char* path, int mode) noexcept {
  STEST_NEXT(access);
  note(AT_FDCWD, path);
  return original(path, mode);
}

int faccessat(int folder, const char* path, int mode, int flags) noexcept {
  STEST_NEXT(faccessat);
  note(folder, path);
  return original(folder, path, mode, flags);
}

ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
  STEST_NEXT(readlink);
  note(AT_FDCWD, path);
  return original(path, buffer, size);
}

DIR* opendir(const char* path) {
  STEST_NEXT(opendir);
  note(AT_FDCWD, path, How::listed);
  return original(path);
}

DIR* fdopendir(int folder) {
  STEST_NEXT(fdopendir);
  note(folder, "", How::listed);
  return original(folder);
}

#pragma GCC visibility pop
}

#endif
