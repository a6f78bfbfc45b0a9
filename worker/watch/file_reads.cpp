// A fortified <fcntl.h> would define the functions that are defined here.
#undef _FORTIFY_SOURCE

#include "worker/watch/file_reads.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
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
#include "common/os/nanoseconds.hpp"
#include "stest/file_state.hpp"
#include "worker/watch/interpose.hpp"

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
#define STEST_INTERPOSES_FILES 1
#endif

namespace stest::file_reads {

namespace {

/// File times come from the kernel's coarse clock, whose tick is 1 to 10 ms.
constexpr std::int64_t tick_ns = 20'000'000;

/// The state of a path, as far as it is compared.
struct State {
  mode_t type = 0;  ///< 0: there is nothing.
  dev_t device = 0;
  std::string link;  ///< The target of a symbolic link; the other members are those of the target.
  FileState file;    ///< Only the inode unless it is a regular file.

  friend bool operator==(const State& a, const State& b) = default;
};

using Names = std::vector<std::string>;

struct Seen {
  State state;
  bool is_settled = true;
  bool is_type_only = false;  ///< There were only type questions.
  bool is_opened = false;
  bool is_read = false;        ///< Looked at, and not only written.
  std::optional<Names> names;  ///< The contents of a folder that was listed.
};

/// Never destroyed, because files are opened until the process ends.
struct Log {
  std::mutex mutex;
  std::vector<std::string> exempt;
  bool (*asks_for_type)() = nullptr;
  bool counts_pytest_cache = false;
  std::map<std::string, Seen, std::less<>> seen;
};
Log& the_log() {
  static auto* log = new Log;
  return *log;
}
std::atomic<bool> is_recording{false};
/// True while this code itself looks at files, which must not be recorded.
thread_local bool is_busy = false;

class Busy {
 public:
  Busy() { is_busy = true; }
  ~Busy() { is_busy = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
};

std::string link_text(const std::string& path) {
  char target[PATH_MAX];
  const auto size = ::readlink(path.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : "";
}

State state_of(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  State state;
  if (S_ISLNK(info.st_mode)) {
    state.link = link_text(path);
    if (::stat(path.c_str(), &info) != 0) return state;
  }
  state.type = info.st_mode & S_IFMT;
  state.device = info.st_dev;
  state.file = file_state(info);
  if (!S_ISREG(info.st_mode)) state.file = {.inode = state.file.inode};
  return state;
}

/// Calls the function of the C library directly: the interposed one reports questions for the time.
std::int64_t time_ns(clockid_t clock) {
  static auto* const ask = interpose::next<decltype(::clock_gettime)>("clock_gettime");
  timespec now{};
  ask(clock, &now);
  return nanoseconds(now);
}

bool was_written_just_now(const State& state) {
  return time_ns(CLOCK_REALTIME) - state.file.ctime_ns < tick_ns;
}

/// The names in a folder, except those that pytest and Python create.
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

bool is_other_now(const std::pair<const std::string, Seen>* entry) {
  const Busy busy;  // Needed in each thread.
  const auto& [path, seen] = *entry;
  if (seen.is_type_only) return state_of(path).type != seen.state.type;
  return !seen.is_settled || state_of(path) != seen.state || (seen.names && names_in(path) != *seen.names);
}

std::string where(int folder) {
  static auto* const current = interpose::next<decltype(::getcwd)>("getcwd");
  char target[PATH_MAX];
  if (folder == AT_FDCWD) return current(target, sizeof target) != nullptr ? target : "";
  return link_text("/proc/self/fd/" + std::to_string(folder));
}

/// Nothing can be below a regular file, so the file takes the place of a path below it. pytest looks at such
/// paths: it asks of each file whether it is a virtual environment.
std::string what_decides(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0 && errno == ENOTDIR && path.size() > 1) {
    path.resize(path.find_last_of('/'));
  }
  return path;
}

bool is_pytest_cache(std::string_view path) {
  constexpr std::array<std::string_view, 2> files{"/v/cache/lastfailed", "/v/cache/nodeids"};
  return std::any_of(files.begin(), files.end(),
                     [path](std::string_view file) { return path.ends_with(file); });
}

bool is_exempt(const Log& log, std::string_view path) {
  return path.find("/__pycache__") != path.npos ||
         std::any_of(log.exempt.begin(), log.exempt.end(),
                     [path](const std::string& prefix) { return path.starts_with(prefix); });
}

/// Records the present state.
void look(const std::string& path, Seen& seen, bool is_first, bool is_type_only) {
  const auto type_before = seen.state.type;
  seen.state = state_of(path);
  seen.is_type_only = is_type_only;
  seen.is_settled =
      is_type_only || ((is_first || seen.state.type == type_before) && !was_written_just_now(seen.state));
}

enum class How {
  looked_at,
  opened,
  written,  ///< Opened for writing only; its contents are not read.
  listed,
  searched,  ///< By a function of the C library whose own looks are not seen: it counts as changed.
};

[[maybe_unused]] void note(int folder, const char* name, How how = How::looked_at) {
  if (!is_recording || is_busy || name == nullptr) return;
  const Busy busy;
  const int error = errno;
  std::string path = name;
  if (path.empty() || path.front() != '/') path = path.empty() ? where(folder) : where(folder) + '/' + path;
  auto& log = the_log();
  const bool is_type_only = how == How::looked_at && log.asks_for_type != nullptr && log.asks_for_type();
  const std::lock_guard lock(log.mutex);
  if (path.starts_with('/') && !is_exempt(log, path)) {  // The link of a pipe is not a path.
    if (!log.seen.contains(path)) path = what_decides(std::move(path));
    const auto [entry, is_new] = log.seen.try_emplace(path);
    if (is_new || (entry->second.is_type_only && !is_type_only))
      look(path, entry->second, is_new, is_type_only);
    if (how == How::searched) entry->second.is_settled = false;
    if (how == How::opened || how == How::written) entry->second.is_opened = true;
    if (how != How::written) entry->second.is_read = true;
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

void start(std::vector<std::string> exempt, bool (*asks_for_type)()) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.exempt = std::move(exempt);
  log.asks_for_type = asks_for_type;
  log.counts_pytest_cache = false;
  log.seen.clear();
  is_recording = true;
}

void stop() { is_recording = false; }

void go_on() { is_recording = true; }

void count_pytest_cache() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.counts_pytest_cache = true;
}

std::int64_t changed_ns(const std::string& path) {
  const Busy busy;
  return state_of(path).file.ctime_ns;
}

std::optional<std::string> changed() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<const std::pair<const std::string, Seen>*> all;
  all.reserve(log.seen.size());
  for (const auto& entry : log.seen) {
    if (log.counts_pytest_cache || !is_pytest_cache(entry.first)) all.push_back(&entry);
  }
  const auto found = find_in_parts(all, is_other_now);
  return found == all.end() ? std::nullopt : std::optional((*found)->first);
}

std::vector<std::string> files() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<std::string> found;
  for (const auto& [path, seen] : log.seen) {
    if (seen.is_read && (seen.state.type == 0 || S_ISREG(seen.state.type))) found.push_back(path);
  }
  return found;
}

bool has_changed(const std::string& path) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  const auto entry = log.seen.find(path);
  return entry != log.seen.end() && is_other_now(&*entry);
}

std::int64_t now_ns() { return time_ns(CLOCK_REALTIME_COARSE); }

bool written_since(std::int64_t time_ns) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  return std::any_of(log.seen.begin(), log.seen.end(), [&](const auto& entry) {
    const auto& [path, seen] = entry;
    return seen.is_opened && seen.state.file.ctime_ns >= time_ns && path.find("/.pytest_cache/") == path.npos;
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

bool note_system_call(long number, const std::array<long, 6>& with) {
  const auto path = [&with](std::size_t i) { return reinterpret_cast<const char*>(with[i]); };  // NOLINT
  const auto folder = static_cast<int>(with[0]);
  switch (number) {
    case SYS_openat:
#ifdef SYS_openat2
    case SYS_openat2:
#endif
      note(folder, path(1), How::opened);
      return true;
    case SYS_statx:
    case SYS_newfstatat:
    case SYS_faccessat:
#ifdef SYS_faccessat2
    case SYS_faccessat2:
#endif
    case SYS_readlinkat:
      note(folder, path(1));
      return true;
    case SYS_getdents64:
      note(folder, "", How::listed);
      return true;
#ifdef SYS_open
    case SYS_open:
      note(AT_FDCWD, path(0), How::opened);
      return true;
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_readlink:
#endif
    case SYS_getxattr:
    case SYS_lgetxattr:
    case SYS_listxattr:
    case SYS_llistxattr:
      note(AT_FDCWD, path(0));
      return true;
    default:
      return false;
  }
}

}  // namespace stest::file_reads

// ---- interposed functions

#ifdef STEST_INTERPOSES_FILES

namespace {

using stest::file_reads::How;
using stest::file_reads::note;

/// Notes each folder of the path: the C library follows links by calls that are not seen.
void note_each(const char* path) {
  if (path == nullptr) return;
  const std::string_view all = path;
  for (auto end = all.find('/', 1); end != all.npos; end = all.find('/', end + 1)) {
    note(AT_FDCWD, std::string(all.substr(0, end)).c_str());
  }
  note(AT_FDCWD, path);
}

How how(int flags) {
  return (flags & O_ACCMODE) == O_WRONLY && (flags & O_EXCL) == 0 ? How::written : How::opened;
}

How how(std::string_view mode) {
  const bool is_only_written = mode.find_first_of("r+x") == mode.npos;
  return is_only_written ? How::written : How::opened;
}

/// `open` has a third argument if it may create a file.
mode_t mode_argument(int flags, va_list arguments) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? va_arg(arguments, mode_t) : 0;  // NOLINT(clang-analyzer-valist.Uninitialized): the caller's.
}

}  // namespace

#define STEST_OPEN(name)                                 \
  int name(const char* path, int flags, ...) {           \
    STEST_NEXT(name);                                    \
    va_list arguments;                                   \
    va_start(arguments, flags);                          \
    const mode_t mode = mode_argument(flags, arguments); \
    va_end(arguments);                                   \
    note(AT_FDCWD, path, how(flags));                    \
    return original(path, flags, mode);                  \
  }

#define STEST_OPENAT(name)                                 \
  int name(int folder, const char* path, int flags, ...) { \
    STEST_NEXT(name);                                      \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_argument(flags, arguments);   \
    va_end(arguments);                                     \
    note(folder, path, how(flags));                        \
    return original(folder, path, flags, mode);            \
  }

#define STEST_STAT(name, info_type)                                                        \
  STEST_NOTE_NOEXCEPT(int, name, (const char* path, struct info_type* info), (path, info), \
                      note(AT_FDCWD, path))

// `searched`, because the free space of a file system changes all the time.
#define STEST_STATFS(name, info_type)                                                      \
  STEST_NOTE_NOEXCEPT(int, name, (const char* path, struct info_type* info), (path, info), \
                      note(AT_FDCWD, path, How::searched))

#define STEST_FSTATAT(name, info_type)                                                              \
  STEST_NOTE_NOEXCEPT(int, name, (int folder, const char* path, struct info_type* info, int flags), \
                      (folder, path, info, flags), note(folder, path))

// Headers before glibc 2.33 turn `stat` into these. The first argument is a version, of which each
// architecture has had only one since wheels exist.
#define STEST_OLD_STAT(old_name, name, info_type) \
  int old_name(int, const char* path, struct info_type* info) noexcept { return name(path, info); }
#define STEST_OLD_FSTATAT(old_name, name, info_type)                                            \
  int old_name(int, int folder, const char* path, struct info_type* info, int flags) noexcept { \
    return name(folder, path, info, flags);                                                     \
  }

#define STEST_FOPEN(name) \
  STEST_NOTE(FILE*, name, (const char* path, const char* mode), (path, mode), note(AT_FDCWD, path, how(mode)))

#define STEST_FREOPEN(name)                                                                     \
  STEST_NOTE(FILE*, name, (const char* path, const char* mode, FILE* file), (path, mode, file), \
             note(AT_FDCWD, path, how(mode)))

#define STEST_ACCESS(name) \
  STEST_NOTE_NOEXCEPT(int, name, (const char* path, int mode), (path, mode), note(AT_FDCWD, path))

#define STEST_GETXATTR(name)                                                                        \
  STEST_NOTE_NOEXCEPT(ssize_t, name, (const char* path, const char* key, void* value, size_t size), \
                      (path, key, value, size), note(AT_FDCWD, path))

#define STEST_LISTXATTR(name)                                                                           \
  STEST_NOTE_NOEXCEPT(ssize_t, name, (const char* path, char* names, size_t size), (path, names, size), \
                      note(AT_FDCWD, path))

// Fortified and older programs call these; no header declares them.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier)
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int folder, const char* path, int flags);
int __openat64_2(int folder, const char* path, int flags);
char* __realpath_chk(const char* path, char* resolved, size_t size);
ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t room);
ssize_t __readlinkat_chk(int folder, const char* path, char* buffer, size_t size, size_t room);
int __xstat(int version, const char* path, struct stat* info) noexcept;
int __xstat64(int version, const char* path, struct stat64* info) noexcept;
int __lxstat(int version, const char* path, struct stat* info) noexcept;
int __lxstat64(int version, const char* path, struct stat64* info) noexcept;
int __fxstatat(int version, int folder, const char* path, struct stat* info, int flags) noexcept;
int __fxstatat64(int version, int folder, const char* path, struct stat64* info, int flags) noexcept;
// NOLINTEND(bugprone-reserved-identifier)

#pragma GCC visibility push(default)

STEST_OPEN(open)
STEST_OPEN(open64)
STEST_OPENAT(openat)
STEST_OPENAT(openat64)
STEST_FOPEN(fopen)
STEST_FOPEN(fopen64)
STEST_FREOPEN(freopen)
STEST_FREOPEN(freopen64)
STEST_STAT(stat, stat)
STEST_STAT(stat64, stat64)
STEST_STAT(lstat, stat)
STEST_STAT(lstat64, stat64)
STEST_FSTATAT(fstatat, stat)
STEST_FSTATAT(fstatat64, stat64)
STEST_OLD_STAT(__xstat, stat, stat)
STEST_OLD_STAT(__xstat64, stat64, stat64)
STEST_OLD_STAT(__lxstat, lstat, stat)
STEST_OLD_STAT(__lxstat64, lstat64, stat64)
STEST_OLD_FSTATAT(__fxstatat, fstatat, stat)
STEST_OLD_FSTATAT(__fxstatat64, fstatat64, stat64)
STEST_STATFS(statfs, statfs)
STEST_STATFS(statfs64, statfs64)
STEST_STATFS(statvfs, statvfs)
STEST_STATFS(statvfs64, statvfs64)
STEST_ACCESS(access)
STEST_ACCESS(eaccess)
STEST_ACCESS(euidaccess)
STEST_GETXATTR(getxattr)
STEST_GETXATTR(lgetxattr)
STEST_LISTXATTR(listxattr)
STEST_LISTXATTR(llistxattr)

int __open_2(const char* path, int flags) { return open(path, flags); }
int __open64_2(const char* path, int flags) { return open64(path, flags); }
int __openat_2(int folder, const char* path, int flags) { return openat(folder, path, flags); }
int __openat64_2(int folder, const char* path, int flags) { return openat64(folder, path, flags); }

STEST_NOTE_NOEXCEPT(int, statx, (int folder, const char* path, int flags, unsigned mask, struct statx* info),
                    (folder, path, flags, mask, info), note(folder, path))
STEST_NOTE_NOEXCEPT(int, faccessat, (int folder, const char* path, int mode, int flags),
                    (folder, path, mode, flags), note(folder, path))

STEST_NOTE_NOEXCEPT(long, pathconf, (const char* path, int name), (path, name), note(AT_FDCWD, path))
STEST_NOTE_NOEXCEPT(int, inotify_add_watch, (int watch, const char* path, std::uint32_t mask),
                    (watch, path, mask), note(AT_FDCWD, path))
STEST_NOTE_NOEXCEPT(int, name_to_handle_at,
                    (int folder, const char* path, struct file_handle* handle, int* mount, int flags),
                    (folder, path, handle, mount, flags), note(folder, path))

STEST_NOTE_NOEXCEPT(ssize_t, readlink, (const char* path, char* buffer, size_t size), (path, buffer, size),
                    note(AT_FDCWD, path))
STEST_NOTE_NOEXCEPT(ssize_t, readlinkat, (int folder, const char* path, char* buffer, size_t size),
                    (folder, path, buffer, size), note(folder, path))
STEST_NOTE(ssize_t, __readlink_chk, (const char* path, char* buffer, size_t size, size_t room),
           (path, buffer, size, room), note(AT_FDCWD, path))
STEST_NOTE(ssize_t, __readlinkat_chk, (int folder, const char* path, char* buffer, size_t size, size_t room),
           (folder, path, buffer, size, room), note(folder, path))
STEST_NOTE_NOEXCEPT(char*, realpath, (const char* path, char* resolved), (path, resolved), note_each(path))
STEST_NOTE(char*, __realpath_chk, (const char* path, char* resolved, size_t size), (path, resolved, size),
           note_each(path))
STEST_NOTE_NOEXCEPT(char*, canonicalize_file_name, (const char* path), (path), note_each(path))

STEST_NOTE(DIR*, opendir, (const char* path), (path), note(AT_FDCWD, path, How::listed))
STEST_NOTE(DIR*, fdopendir, (int folder), (folder), note(folder, "", How::listed))
STEST_NOTE(int, scandir,
           (const char* path, struct dirent*** names, int (*which)(const struct dirent*),
            int (*order)(const struct dirent**, const struct dirent**)),
           (path, names, which, order), note(AT_FDCWD, path, How::listed))
STEST_NOTE(int, scandir64,
           (const char* path, struct dirent64*** names, int (*which)(const struct dirent64*),
            int (*order)(const struct dirent64**, const struct dirent64**)),
           (path, names, which, order), note(AT_FDCWD, path, How::listed))
STEST_NOTE(int, scandirat64,
           (int folder, const char* path, struct dirent64*** names, int (*which)(const struct dirent64*),
            int (*order)(const struct dirent64**, const struct dirent64**)),
           (folder, path, names, which, order), note(folder, path, How::listed))
STEST_NOTE(int, scandirat,
           (int folder, const char* path, struct dirent*** names, int (*which)(const struct dirent*),
            int (*order)(const struct dirent**, const struct dirent**)),
           (folder, path, names, which, order), note(folder, path, How::listed))

STEST_NOTE_NOEXCEPT(int, glob,
                    (const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found),
                    (pattern, flags, on_error, found), note(AT_FDCWD, pattern, How::searched))
STEST_NOTE_NOEXCEPT(int, glob64,
                    (const char* pattern, int flags, int (*on_error)(const char*, int), glob64_t* found),
                    (pattern, flags, on_error, found), note(AT_FDCWD, pattern, How::searched))
STEST_NOTE(int, ftw, (const char* path, __ftw_func_t visit, int fds), (path, visit, fds),
           note(AT_FDCWD, path, How::searched))
STEST_NOTE(int, ftw64, (const char* path, __ftw64_func_t visit, int fds), (path, visit, fds),
           note(AT_FDCWD, path, How::searched))
STEST_NOTE(int, nftw, (const char* path, __nftw_func_t visit, int fds, int flags), (path, visit, fds, flags),
           note(AT_FDCWD, path, How::searched))
STEST_NOTE(int, nftw64, (const char* path, __nftw64_func_t visit, int fds, int flags),
           (path, visit, fds, flags), note(AT_FDCWD, path, How::searched))
STEST_NOTE(FTS*, fts_open, (char* const* paths, int flags, int (*order)(const FTSENT**, const FTSENT**)),
           (paths, flags, order), note(AT_FDCWD, paths[0], How::searched))

#pragma GCC visibility pop
}

#endif
