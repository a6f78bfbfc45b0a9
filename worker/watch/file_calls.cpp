// A fortified <fcntl.h> would define the functions that are defined here.
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

#include "worker/watch/file_note.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/interpose.hpp"

namespace stest::file_reads {

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

using stest::file_reads::hides;
using stest::file_reads::How;
using stest::file_reads::note;
using stest::file_reads::puts_off;

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
    const int later = puts_off(path, flags, mode);       \
    if (later >= 0) return later;                        \
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

#define STEST_READDIR(name, entry_type)                                                         \
  struct entry_type* name(DIR* folder) {                                                        \
    STEST_NEXT(name);                                                                           \
    struct entry_type* entry = original(folder);                                                \
    while (entry != nullptr && hides(::dirfd(folder), entry->d_name)) entry = original(folder); \
    return entry;                                                                               \
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

STEST_READDIR(readdir, dirent)
STEST_READDIR(readdir64, dirent64)

int unlink(const char* path) noexcept {
  STEST_NEXT(unlink);
  return puts_off(path) ? 0 : original(path);
}

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
