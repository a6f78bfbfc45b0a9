#include "worker/watch/file_reads.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/os/fd.hpp"
#include "common/os/nanoseconds.hpp"
#include "stest/file_state.hpp"
#include "worker/watch/file_note.hpp"
#include "worker/watch/interpose.hpp"

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

/// A change of a file that is put off.
struct Change {
  std::string path;
  std::string folder;
  bool removes = false;
  bool is_new = false;  ///< There is no such file yet.
  int flags = 0;        ///< How the file is opened.
  mode_t mode = 0;
  int fd = -1;    ///< Where the caller has the file in memory.
  int copy = -1;  ///< A duplicate of it.
};

/// Never destroyed, because files are opened until the process ends.
struct Log {
  std::mutex mutex;
  std::vector<std::string> exempt;
  bool (*asks_for_type)() = nullptr;
  bool counts_pytest_cache = false;
  std::map<std::string, Seen, std::less<>> seen;
  std::string next_put_off;     ///< As the C library gets it; empty if none.
  std::vector<Change> changes;  ///< Those that were put off.
  bool has_seen_unchanged = false;
};
Log& the_log() {
  static auto* log = new Log;
  return *log;
}
std::atomic<bool> is_recording{false};
std::atomic<bool> has_changes{false};
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
  const Busy busy;
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

std::string absolute(int folder, const char* name) {
  return *name == '/' ? name : where(folder) + '/' + name;
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

/// Whether a look shows that a change is put off. A file stays a file when it is written.
bool shows_unchanged(const Log& log, const std::string& path, How how, bool is_type_only) {
  return std::any_of(log.changes.begin(), log.changes.end(), [&](const Change& change) {
    if (change.path == path) return change.removes || change.is_new || !is_type_only;
    return change.is_new && how == How::listed && change.folder == path;
  });
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

/// Takes note of a change that was announced by `put_off`.
Change* announced(Log& log, const char* path) {
  if (path == nullptr || log.next_put_off.empty() || log.next_put_off != path) return nullptr;
  log.next_put_off.clear();
  has_changes = true;
  auto full = absolute(AT_FDCWD, path);
  auto folder = full.substr(0, std::max<std::size_t>(full.rfind('/'), 1));
  const bool is_new = !exists(full);
  return &log.changes.emplace_back(
      Change{.path = std::move(full), .folder = std::move(folder), .is_new = is_new});
}

bool copy_all(int from, int to) {
  for (off_t offset = 0;;) {
    const auto sent = ::sendfile(to, from, &offset, 1u << 30);
    if (sent <= 0) return sent == 0;
  }
}

/// Writes what the caller has written to the file in memory; the caller's descriptor leads to the file then.
bool write_now(const Change& change) {
  const Fd file(::open(change.path.c_str(), change.flags, change.mode));
  if (!file || !copy_all(change.copy, file.get())) return false;
  struct stat theirs {
  }, ours{};
  const bool is_open = ::fstat(change.fd, &theirs) == 0 && ::fstat(change.copy, &ours) == 0 &&
                       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
  ::close(change.copy);
  return !is_open || ::dup3(file.get(), change.fd, change.flags & O_CLOEXEC) >= 0;
}

/// Records the present state.
void look(const std::string& path, Seen& seen, bool is_first, bool is_type_only) {
  const auto type_before = seen.state.type;
  seen.state = state_of(path);
  seen.is_type_only = is_type_only;
  seen.is_settled =
      is_type_only || ((is_first || seen.state.type == type_before) && !was_written_just_now(seen.state));
}

}  // namespace

void note(int folder, const char* name, How how) {
  if (!is_recording || is_busy || name == nullptr) return;
  const Busy busy;
  const int error = errno;
  std::string path = name;
  path = path.empty() ? where(folder) : absolute(folder, name);
  auto& log = the_log();
  const bool is_type_only = how == How::looked_at && log.asks_for_type != nullptr && log.asks_for_type();
  const std::lock_guard lock(log.mutex);
  if (path.starts_with('/') && !is_exempt(log, path)) {  // The link of a pipe is not a path.
    if (has_changes)
      log.has_seen_unchanged = log.has_seen_unchanged || shows_unchanged(log, path, how, is_type_only);
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

bool puts_off(const char* path) {
  const Busy busy;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  Change* change = announced(log, path);
  if (change != nullptr) change->removes = true;
  return change != nullptr;
}

int puts_off(const char* path, int flags, mode_t mode) {
  if (is_busy || (flags & O_TRUNC) == 0 || (flags & O_ACCMODE) != O_WRONLY) return -1;
  const Busy busy;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  Change* change = announced(log, path);
  if (change == nullptr) return -1;
  change->flags = flags;
  change->mode = mode;
  change->fd = ::memfd_create("written later", MFD_CLOEXEC);
  change->copy = ::fcntl(change->fd, F_DUPFD_CLOEXEC, 0);
  return change->fd;
}

bool hides(int folder, const char* name) {
  if (!has_changes || is_busy) return false;
  const Busy busy;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  const auto path = absolute(folder, name);
  return std::any_of(log.changes.begin(), log.changes.end(),
                     [&](const Change& change) { return change.removes && change.path == path; });
}

void put_off(std::string path) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.next_put_off = std::move(path);
}

bool has_seen_unchanged() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  return log.has_seen_unchanged;
}

bool carry_out_changes() {
  const Busy busy;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  has_changes = false;
  log.next_put_off.clear();
  static auto* const remove = interpose::next<decltype(::unlink)>("unlink");
  const auto carry_out = [](const Change& change) {
    if (!change.removes) return write_now(change);
    remove(change.path.c_str());  // Somebody else may have removed it.
    return true;
  };
  const auto changes = std::exchange(log.changes, {});
  return std::all_of(changes.begin(), changes.end(), carry_out);
}

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
  const auto found = std::find_if(all.begin(), all.end(), is_other_now);
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

}  // namespace stest::file_reads
