#include "client/daemon_launcher.hpp"

#include <fcntl.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "client/backoff.hpp"
#include "client/client.hpp"
#include "client/daemon_trial.hpp"
#include "client/http_exchange.hpp"
#include "client/program.hpp"
#include "client/python_facts.hpp"
#include "client/readiness.hpp"
#include "common/config/log_tail.hpp"
#include "common/os/process.hpp"
#include "common/os/python_executable.hpp"
#include "common/version.hpp"

// How a client finds or starts its daemon
// =======================================
//
// The goal: any number of clients may start at the same moment, in a project that has no daemon, a running
// one, one that is ending, or the files of a killed one. All of them end up with the same, right daemon.
//
// There is only one lock, `daemon.lock`, so there is no lock order. A daemon holds it from its start until
// the kernel has closed its last descriptor. Everything else follows from this rule:
//
//     If a client holds the lock, there is no daemon.
//
// Only the lock decides. `status.json` and the socket are hints, which a killed daemon leaves behind. The
// holder of the lock may remove both, because no living process can have made them.
//
// A client repeats these steps until it has a daemon or its time is over:
//
//   1. connect   status.json names a living process (same pid, same start time), and something listens at its
//                socket. This is the usual case: a few system calls, no lock. If the daemon has our version,
//                build and Python, and listens where the variables ask for it, we are done. Otherwise we ask
//                it to end once idle, wait for the end of its process, and begin again; but not for a Python
//                that cannot be used.
//   2. lock      Without waiting. If the lock is held, another client is starting a daemon, or a daemon is
//                ending. Both change what step 1 finds, so we pause for some milliseconds and repeat.
//   3. connect   Again, with the lock. Between 1 and 2 another client may have started a daemon which *has
//                ended again*; this does no harm. But if flock() does not work on this file system, a living
//                daemon is found here, and is used instead of a second one.
//   4. spawn     The daemon inherits our descriptor of the lock. A flock belongs to the open file
//                description, which both processes then share. So the lock passes on without a gap in which a
//                second client could take it. We close our copy when we are done; only the last close
//                releases the lock. LOCK_UN must never be used, because it would release the lock for both.
//   5. ready     The daemon reports on a pipe that its socket accepts connections, or why it cannot start. If
//                it dies, in whatever way, the pipe closes, and we see that at once.
//
// The races, one by one:
//
//   * The client is killed between 4 and 5: the daemon has the lock and goes on. The next client finds it.
//   * The client is killed between 2 and 4: the kernel releases the lock. The next client removes the
//     leftovers.
//   * The daemon is killed by SIGKILL: the lock is free at once. The old status.json fails the check of pid
//     and start time in 1, or the socket refuses. Step 2 succeeds, and the leftovers are removed.
//   * The daemon ends while a client connects: the kernel's queue may accept the connection and then reset
//     it. The client's request fails before the first event, and the client begins again (see
//     `Run::ask_daemons` in cli/run/warm_run.cpp).
//   * The daemon is too busy to accept: a non-blocking connect() fails with EAGAIN if the queue of the socket
//     is full, for example when many clients come at once. This is a living daemon: `is_listening` returns
//     true, and `DaemonClient` tries again. It never counts as "no daemon".
//   * Two installations (versions, environments) are used in turn in one project: they replace each other,
//     and each waits for the runs of the other. This is slow, and a line on stderr says so, but it is right.
//
// Rejected:
//
//   * Waiting in flock(): a client that waits there during a daemon's whole life would have to be woken by
//     something else. Short pauses cost a few milliseconds, and a start takes far longer.
//   * The bound socket as the lock: its file survives the process, and removing it before a new bind() is a
//     race without a solution.
//   * A pid file with kill(pid, 0): pids are reused.
//   * Waiting for the socket to appear after the spawn: a slow start would look like a failed one.

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto notice_after = 1s;
constexpr auto ask_again_after = 1s;
/// A new daemon writes its pid into the lock file soon; until then the file has the pid of the one before.
constexpr auto holder_patience = 3s;
constexpr int log_lines = 20;
// The numbers of the descriptors in the daemon.
constexpr int lock_fd = 3;
constexpr int ready_fd = 4;

std::string describe(const std::string& version, const std::string& python) {
  return "stest " + version + " with " + python;
}

bool has_runs(const DaemonStatus& daemon) {
  const auto status = DaemonClient(daemon.endpoint).status();
  return status && status->is_object() && !status->value("runs", nlohmann::json::array()).empty();
}

std::string how_it_ended(int pid) {
  // The pipe may close shortly before the process has ended.
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  if (!wait_until(deadline, [&] { return has_ended(pid); }))
    return "closed its readiness pipe without a report";
  const auto status = wait_for(pid);
  return status ? how_it_ended(*status) : "ended";
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

/// Whether the process that the lock file names as the holder cannot be seen from here.
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
                 : "`stest stop` ends it where it was started; SPRINTEST_DIR=FOLDER gives this sandbox "
                   "its own daemon");
}

}  // namespace

Installation own_installation(const Environment& env) {
  const auto folder = executable_folder();
  const auto daemon = folder / "stestd";
  // An invalid variable counts as unset here: the daemon reports the error when it gets the run.
  const auto config = load_variables(env).value_or(Config{});
  Installation own{daemon,           std::string(stest_version()),
                   build_id(daemon), python_executable(folder, env).string(),
                   config.force_tcp, config.port};
  if (const auto python = python_executable(folder).string(); python != own.python) {
    own.own_python = python;
    own.env = env;
  }
  return own;
}

Status check_surroundings(const RuntimePaths& paths) {
  const auto daemon = read_last_status(paths.status_file);
  if (!daemon) return {};
  const auto different = different_surroundings(daemon->surroundings, own_surroundings());
  // If the lock is free, the daemon has ended, and its files do no harm.
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

/// Whatever the reason is, the caller needs to know that there is no daemon.
Result<DaemonStatus> DaemonLauncher::ensure() {
  return find_or_start().map_error([](Error error) {
    if (error.code == ErrorCode::internal) error.code = ErrorCode::daemon_unavailable;
    return error;
  });
}

Result<DaemonStatus> DaemonLauncher::find_or_start() {
  if (auto made = ensure_directories(paths_); !made) return tl::unexpected(made.error());
  begin_ = Clock::now();
  deadline_ = begin_ + patience_;
  for (Backoff backoff; Clock::now() < deadline_; backoff.wait()) {
    auto daemon = find();
    if (!daemon) return tl::unexpected(daemon.error());
    if (*daemon && serves_us(**daemon)) return **daemon;
    if (auto usable = check_python(); !usable) return tl::unexpected(usable.error());
    if (*daemon) {
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

/// The project's daemon of any version, if one lives and listens. Errors: it cannot be reached from here.
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

/// Why the daemon must be replaced; empty if it need not be.
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

/// stest's own Python needs no check: if it cannot be used, the worker says so, and the run is cold.
Status DaemonLauncher::check_python() {
  if (wanted_.own_python.empty() || !package_.empty()) return {};
  if (auto usable = check_choice(wanted_.python, ask_python(wanted_.python, wanted_.env)); !usable)
    return usable;
  auto package = own_package(wanted_.own_python, wanted_.env);
  if (!package) return tl::unexpected(package.error());
  package_ = *package;
  return {};
}

Status DaemonLauncher::await_end(const DaemonStatus& daemon) {
  announce_replacement(daemon);
  // The answer does not matter: the daemon may be ending already, and the loop below finds one that hangs.
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
                      ") was asked to end and has not ended",
                  "`stest restart` ends it");
    }
  }
  begin_ = Clock::now();  // The time to start a daemon begins now.
  deadline_ = begin_ + patience_;
  return {};
}

void DaemonLauncher::announce_replacement(const DaemonStatus& daemon) {
  if (daemon.state == "stopping") return say_once("waiting for the daemon to stop");
  say_once("replacing the daemon of " + paths_.root.string() + ": " + mismatch(daemon) +
           "; waiting for it to finish its runs");
}

/// Nothing if another process holds the lock.
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
  // A daemon in other surroundings would hold the lock, so `read_status` is enough.
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
  pipe->write.reset();  // Otherwise the pipe would not end when the daemon closes its copy.
  if (auto ready = await_readiness(*pid, pipe->read.get(), log_start); !ready) return ready;
  return try_out_or_end(*pid);
}

/// Tries out the new daemon, and kills it if it cannot be used. It is our child, not yet reaped, so its pid
/// is not reused.
Status DaemonLauncher::try_out_or_end(int pid) const {
  const auto daemon = read_status(paths_.status_file);
  if (!daemon) return {};  // It has ended again. The caller's next round finds this.
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
  if (!log) return errno_error("cannot open " + paths_.log_file.string());
  SpawnOptions options;
  options.executable = wanted_.daemon;
  options.args = {"--root",     paths_.root.string(),    "--lock-fd", std::to_string(lock_fd),
                  "--ready-fd", std::to_string(ready_fd)};
  if (!package_.empty()) options.args.insert(options.args.end(), {"--package", package_});
  options.cwd = paths_.root.string();
  options.fds = {{0, null.get()}, {1, log.get()}, {2, log.get()}, {lock_fd, lock.fd()}, {ready_fd, ready}};
  options.new_session = true;
  return spawn(options).map_error([](const Error& error) {
    return Error{ErrorCode::daemon_unavailable, "the daemon could not be started: " + error.message,
                 "stest's executables must be in one folder; install stest again"};
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
  ::kill(pid, SIGKILL);  // Our child, not yet reaped, so its pid is not reused.
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
