#include "client/daemon_launcher.hpp"

#include <fcntl.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "client/backoff.hpp"
#include "client/client.hpp"
#include "client/daemon_trial.hpp"
#include "client/http_exchange.hpp"
#include "client/readiness.hpp"
#include "common/config/log_tail.hpp"
#include "common/os/process.hpp"
#include "common/version.hpp"

// How a client comes by its daemon
// ================================
//
// The goal: any number of clients may start at the same instant, on a project that has no daemon,
// one daemon, a dying one or the remains of a killed one, and all of them end up with the same,
// right daemon.
//
// There is one lock, `daemon.lock`, and so no order of locks to keep. A daemon holds it from before
// its first breath until the kernel has taken back its last descriptor. Hence the rule on which all
// else rests:
//
//     Whoever holds the lock, and is no daemon, knows that there is no daemon.
//
// Truth is the lock, never a file. `status.json` and the socket are hints which a daemon that was
// killed leaves behind. The lock's holder may remove both, because nobody alive can have made them.
//
// A client repeats until it has a daemon or its patience ends:
//
//   1. connect   status.json names a process that lives (same pid, same start time) and something
//                listens at its socket. The usual case: a handful of system calls, no lock.
//                Is it of our version, build and Python, and where it was asked to be? Then we are done. If
//                not, it is asked to end once idle, we wait for the end of its process, and begin anew.
//   2. lock      Without waiting. Not obtained: another client is starting a daemon, or one is just
//                ending. Either changes what step 1 sees; so pause for some milliseconds and repeat.
//   3. connect   Once more, under the lock. Between 1 and 2 another client may have started a daemon
//                *and it may have ended* — harmless — but on a file system whose flock() is not
//                real, a living daemon shows here, and is used instead of doubled.
//   4. spawn     The daemon inherits our descriptor of the lock. A flock belongs to the open file
//                description, which both processes then share: the lock passes on without a gap in
//                which a second client could take it. We close our copy when we are done; only the
//                last close releases. It must never be unlocked by LOCK_UN, which would release it
//                for both.
//   5. ready     The daemon writes to a pipe when its socket accepts, or why it will not come up.
//                If it dies, however it dies, the pipe closes, and we see that at once.
//
// The races, one by one:
//
//   * Client killed between 4 and 5: the daemon has the lock and goes on; the next client finds it.
//   * Client killed between 2 and 4: the kernel releases the lock; leftovers are removed by the next.
//   * Daemon killed with -9: the lock is free at once. The stale status.json fails the check of pid
//     and start time in 1, or else the socket refuses; 2 succeeds, and the leftovers go.
//   * Daemon ending while a client connects: the connection may be accepted by the kernel's queue and
//     then be reset. The client's request fails before a single event came, and the caller starts
//     over (see `run_tests` in cli/run.cpp).
//   * A daemon too busy to accept: a non-blocking connect() fails with EAGAIN when the queue of the
//     socket is full, as it does when many clients come at once. That is a living daemon:
//     `is_listening` says so, and `DaemonClient` tries again. It is never taken for "no daemon".
//   * Two installations (versions, environments) used in turn in one project: they replace each
//     other, each waiting for the runs of the other. Slow, and said on stderr, but right.
//
// Rejected:
//
//   * Waiting in flock(): a client that waits there for a daemon's whole life would have to be woken
//     by something else. Short pauses cost a few milliseconds, at a start that takes far longer.
//   * Binding the socket as the lock: a bound socket's file survives its process, and removing it
//     before a new bind() is a race that has no answer.
//   * A pid file with kill(pid, 0): pids are used again.
//   * Waiting for the socket to appear after the spawn: it does not tell a slow start from a dead one.

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto notice_after = 1s;
constexpr auto ask_again_after = 1s;
/// A daemon writes its pid into the lock's file at once; before that, it holds that of the one before.
constexpr auto holder_patience = 3s;
constexpr int log_lines = 20;
// The numbers that the daemon's descriptors get in the new process.
constexpr int lock_fd = 3;
constexpr int ready_fd = 4;

std::string describe(const std::string& version, const std::string& python) {
  return "stest " + version + " with " + python;
}

bool has_runs(const DaemonStatus& daemon) {
  const auto status = DaemonClient(daemon.endpoint).status();
  return status && status->is_object() && !status->value("runs", nlohmann::json::array()).empty();
}

void remove_leftovers(const RuntimePaths& paths) {
  std::error_code ignored;
  std::filesystem::remove(paths.status_file, ignored);
  std::filesystem::remove(paths.socket, ignored);
}

std::string describe(const ExitStatus& status) {
  if (status.signal) return "was ended by " + signal_name(*status.signal);
  return "ended with exit code " + std::to_string(status.code.value_or(-1));
}

/// A daemon closes the pipe before it ends, or because it ends: either way, it has a moment.
bool has_ended(int pid) {
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  for (Backoff backoff; identify(pid); backoff.wait()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

std::string how_it_ended(int pid) {
  if (!has_ended(pid)) return "closed its readiness pipe without a word";
  const auto status = wait_for(pid);
  return status ? describe(*status) : "ended";
}

std::string log_excerpt(const RuntimePaths& paths, std::uint64_t log_start) {
  auto text = last_lines(paths.log_file, log_lines, log_start);
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return "; it logged nothing";
  return "\nits log ends with:\n" + text;
}

bool is_held(const std::filesystem::path& lock_file) {
  const auto lock = FileLock::try_acquire(lock_file);
  return lock && !*lock;
}

/// Whether the process that holds the lock, by its own word, is none that can be seen from here.
bool is_out_of_sight(const std::filesystem::path& lock_file) {
  const auto holder = lock_holder(lock_file);
  return holder && !identify(*holder);
}

tl::unexpected<Error> elsewhere(const RuntimePaths& paths, const DaemonStatus& daemon,
                                const std::string& difference) {
  const bool is_visible = shares_pids(daemon.surroundings, own_surroundings());
  const auto who = is_visible ? " (pid " + std::to_string(daemon.process.pid) + ")" : "";
  return fail(
      ErrorCode::daemon_unavailable,
      "the daemon of " + paths.root.string() + who + " runs in another sandbox (another " + difference + ")",
      is_visible ? "`stest restart` replaces it by one that runs here"
                 : "`stest stop` ends it where it was started; SPRINTEST_DIR=FOLDER gives this place "
                   "a daemon of its own");
}

}  // namespace

Installation own_installation(const Environment& env) {
  const auto folder = executable_folder();
  const auto daemon = folder / "stestd";
  // A bad variable asks for nothing: the daemon says what is wrong with it when it gets the run.
  const auto config = load_variables(env).value_or(Config{});
  return {daemon,           std::string(stest_version()),
          build_id(daemon), python_executable(folder).string(),
          config.force_tcp, config.port};
}

Status check_surroundings(const RuntimePaths& paths) {
  const auto daemon = read_last_status(paths.status_file);
  if (!daemon) return {};
  const auto different = different_surroundings(daemon->surroundings, own_surroundings());
  // Without a lock it has ended: what it left behind is in nobody's way.
  if (different.empty() || !is_held(paths.lock_file)) return {};
  return elsewhere(paths, *daemon, different);
}

Status check_visibility(const RuntimePaths& paths) {
  const auto daemon = read_last_status(paths.status_file);
  if (!daemon || shares_pids(daemon->surroundings, own_surroundings())) return {};
  return check_surroundings(paths);
}

DaemonLauncher::DaemonLauncher(RuntimePaths paths, Installation wanted, Notice notice,
                               std::chrono::milliseconds patience)
    : paths_(std::move(paths)), wanted_(std::move(wanted)), notice_(std::move(notice)), patience_(patience) {}

Result<DaemonStatus> DaemonLauncher::ensure() {
  if (auto made = ensure_directories(paths_); !made) return tl::unexpected(made.error());
  begin_ = Clock::now();
  deadline_ = begin_ + patience_;
  for (Backoff backoff; Clock::now() < deadline_; backoff.wait()) {
    auto daemon = find();
    if (!daemon) return tl::unexpected(daemon.error());
    if (*daemon) {
      if (serves_us(**daemon)) return **daemon;
      if (auto ended = await_end(**daemon); !ended) return tl::unexpected(ended.error());
    }
    auto started = try_start();
    if (!started) return tl::unexpected(started.error());
    if (*started) return **started;
  }
  return tl::unexpected(held(""));
}

Error DaemonLauncher::held(const std::string& remark) const {
  const auto holder = lock_holder(paths_.lock_file);
  return {ErrorCode::daemon_unavailable,
          "no daemon could be reached: " + paths_.lock_file.string() + " is held" +
              (holder ? " by process " + std::to_string(*holder) : "") + remark,
          "`stest restart` ends a daemon that hangs"};
}

/// The project's daemon, if one lives and listens; of whatever version. Errors: it is out of reach here.
Result<std::optional<DaemonStatus>> DaemonLauncher::find() const {
  const auto daemon = read_last_status(paths_.status_file);
  if (!daemon) return std::nullopt;
  const auto different = different_surroundings(daemon->surroundings, own_surroundings());
  if (!different.empty()) {
    if (is_held(paths_.lock_file)) return elsewhere(paths_, *daemon, different);
    return std::nullopt;
  }
  if (!is_alive(daemon->process)) return std::nullopt;
  const auto listens = is_listening(daemon->endpoint);
  if (!listens) return tl::unexpected(listens.error());
  return *listens ? daemon : std::nullopt;
}

bool DaemonLauncher::serves_us(const DaemonStatus& daemon) const {
  return daemon.state != "stopping" && mismatch(daemon).empty();
}

/// Why the daemon is to be replaced; empty where it is not.
std::string DaemonLauncher::mismatch(const DaemonStatus& daemon) const {
  if (daemon.version != wanted_.version || daemon.python != wanted_.python) {
    return "it runs " + describe(daemon.version, daemon.python) + ", this is " +
           describe(wanted_.version, wanted_.python);
  }
  if (daemon.build != wanted_.build) return "it runs another build of stest " + daemon.version;
  if (!wanted_.tcp) return {};
  if (!daemon.endpoint.socket.empty()) return "it does not serve TCP";
  if (daemon.endpoint.port == wanted_.port.value_or(daemon.endpoint.port)) return {};
  return "it serves port " + std::to_string(daemon.endpoint.port);
}

Status DaemonLauncher::await_end(const DaemonStatus& daemon) {
  announce_replacement(daemon);
  // An answer is not needed: the daemon may be ending already, and a hanging one shows below.
  if (daemon.state != "stopping") (void)DaemonClient(daemon.endpoint).stop(StopWhen::idle);
  deadline_ = Clock::now() + patience_;
  auto ask_at = Clock::now();
  for (Backoff backoff; is_alive(daemon.process); backoff.wait()) {
    if (Clock::now() >= ask_at) {
      if (has_runs(daemon)) deadline_ = Clock::now() + patience_;
      ask_at = Clock::now() + ask_again_after;
    }
    if (Clock::now() > deadline_) {
      return fail(ErrorCode::daemon_unavailable,
                  "the daemon of " + paths_.root.string() + " (pid " + std::to_string(daemon.process.pid) +
                      ") was asked to end and does not",
                  "`stest restart` ends it");
    }
  }
  begin_ = Clock::now();  // What comes now is a start like any other.
  deadline_ = begin_ + patience_;
  return {};
}

void DaemonLauncher::announce_replacement(const DaemonStatus& daemon) {
  if (daemon.state == "stopping") return say_once("waiting for the daemon to stop");
  say_once("replacing the daemon of " + paths_.root.string() + ": " + mismatch(daemon) +
           "; waiting for it to finish its runs");
}

/// Nothing: somebody else holds the lock, look again.
Result<std::optional<DaemonStatus>> DaemonLauncher::try_start() {
  auto lock = FileLock::try_acquire(paths_.lock_file);
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock) {
    if (Clock::now() > begin_ + notice_after) say_once("waiting for the daemon…");
    if (Clock::now() > begin_ + holder_patience && is_out_of_sight(paths_.lock_file)) {
      return tl::unexpected(held(", which cannot be seen from here"));
    }
    return std::nullopt;
  }
  // One in other surroundings would hold the lock.
  if (const auto daemon = read_status(paths_.status_file); daemon && is_listening(daemon->endpoint) == true) {
    return std::nullopt;
  }
  remove_leftovers(paths_);
  if (auto started = start(**lock); !started) return tl::unexpected(started.error());
  return find();
}

Status DaemonLauncher::start(const FileLock& lock) {
  const auto log_start = file_size_or_zero(paths_.log_file);
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  const auto pid = spawn_daemon(lock, pipe->write.get());
  if (!pid) return tl::unexpected(pid.error());
  pipe->write.reset();  // Else we would never see the end of the daemon's copy.
  if (auto ready = await_readiness(*pid, pipe->read.get(), log_start); !ready) return ready;
  return try_out_or_end(*pid);
}

/// The daemon is our own child, and has not been waited for: its pid is still its own.
Status DaemonLauncher::try_out_or_end(int pid) const {
  const auto daemon = read_status(paths_.status_file);
  if (!daemon) return {};  // It has ended again, which the next look at the lock tells.
  auto usable = try_out(daemon->endpoint);
  if (usable) return usable;
  ::kill(pid, SIGKILL);
  (void)wait_for(pid);
  remove_leftovers(paths_);
  return usable;
}

Result<int> DaemonLauncher::spawn_daemon(const FileLock& lock, int ready) const {
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return errno_error("/dev/null");
  const Fd log(::open(paths_.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return errno_error(paths_.log_file.string());
  SpawnOptions options;
  options.executable = wanted_.daemon;
  options.args = {"--root",     paths_.root.string(),    "--lock-fd", std::to_string(lock_fd),
                  "--ready-fd", std::to_string(ready_fd)};
  options.cwd = paths_.root.string();
  options.fds = {{0, null.get()}, {1, log.get()}, {2, log.get()}, {lock_fd, lock.fd()}, {ready_fd, ready}};
  options.new_session = true;
  return spawn(options).map_error([](const Error& error) {
    return Error{ErrorCode::daemon_unavailable, "the daemon could not be started: " + error.message,
                 "stest's executables belong in one folder; install it again"};
  });
}

Status DaemonLauncher::await_readiness(int pid, int ready, std::uint64_t log_start) {
  ReadinessReader reader(ready);
  auto readiness = reader.wait_until(std::min(begin_ + notice_after, deadline_));
  if (readiness.kind == Readiness::Kind::pending) {
    say_once("starting the daemon…");
    readiness = reader.wait_until(deadline_);
  }
  switch (readiness.kind) {
    case Readiness::Kind::ready:
      return {};
    case Readiness::Kind::failed:
      return tl::unexpected(readiness.error);
    case Readiness::Kind::closed:
      return tl::unexpected(early_end(pid, log_start));
    case Readiness::Kind::pending:
      break;
  }
  ::kill(pid, SIGKILL);  // Our own child, not waited for yet: the pid is still its own.
  (void)wait_for(pid);
  return fail(ErrorCode::daemon_unavailable,
              "the daemon was not ready after " + std::to_string(patience_ / 1s) + " s" +
                  log_excerpt(paths_, log_start),
              "`stest logs` shows more");
}

Error DaemonLauncher::early_end(int pid, std::uint64_t log_start) const {
  return {ErrorCode::daemon_unavailable,
          "the daemon of " + paths_.root.string() + " did not start: it " + how_it_ended(pid) +
              log_excerpt(paths_, log_start),
          "`stest logs` shows more"};
}

void DaemonLauncher::say_once(const std::string& line) {
  if (std::exchange(said_, line) != line) notice_(line);
}

}  // namespace stest
