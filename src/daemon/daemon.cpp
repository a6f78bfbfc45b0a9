#include "daemon/daemon.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "common/config/logging.hpp"
#include "common/json/line_channel.hpp"
#include "common/os/file_lock.hpp"
#include "common/os/python_executable.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/os/worker_host.hpp"
#include "common/status_file.hpp"
#include "common/version.hpp"
#include "daemon/children.hpp"
#include "daemon/http/http_server.hpp"
#include "daemon/http/server_socket.hpp"
#include "daemon/required_files.hpp"
#include "daemon/service.hpp"

namespace stest {

namespace {

/// The time that connections have to end after the last run.
constexpr std::chrono::seconds connection_grace{2};
/// If memory runs out, the kernel should kill the tests that use it, not the warm processes. A run has its
/// client's score, as under plain pytest. So daemon and worker lower theirs by this, if the system allows it.
constexpr int oom_margin = 500;
constexpr int least_oom_score_adj = -999;  ///< -1000 would mean never, even after a leak.

/// Reports once, to the process that started the daemon, that it is ready, or why not.
class Readiness {
 public:
  explicit Readiness(int fd) : fd_(fd) {}

  void report(const Status& status) {
    if (!fd_) return;
    const auto text = status ? std::string("ready\n") : "error\n" + to_json(status.error()).dump() + "\n";
    (void)write_all(fd_.get(), text);  // The launcher may have ended.
    fd_.reset();
  }

 private:
  Fd fd_;
};

/// A descriptor for the signals that the main loop handles. They are blocked in every thread.
Result<Fd> take_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // If it is ignored, children leave no exit status.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return errno_error("signalfd");
  return fd;
}

Result<FileLock> take_lock(const DaemonOptions& options, const RuntimePaths& paths) {
  if (options.lock_fd >= 0) return FileLock::adopt(Fd(options.lock_fd));
  auto lock = FileLock::try_acquire(paths.lock_file);
  if (!lock) return tl::unexpected(lock.error());
  if (*lock) return std::move(**lock);
  const auto holder = lock_holder(paths.lock_file);
  return fail(ErrorCode::daemon_unavailable,
              "another daemon" + (holder ? " (pid " + std::to_string(*holder) + ")" : std::string()) +
                  " serves " + paths.root.string(),
              "`stest stop` ends it.");
}

/// Removes what this process inherited from the client that started it. Returns the attributes for requests
/// that have none.
ProcessAttributes become_common() {
  auto process = current_attributes();
  process.leads = Leads::nothing;
  process.ignored_signals.clear();
  process.blocked_signals.clear();
  widen_limits();
  set_oom_score_adj(std::max(process.oom_score_adj - oom_margin, least_oom_score_adj));
  return process;
}

Service::Options service_options(const RuntimePaths& paths, const Config& config, const Endpoint& endpoint,
                                 const DaemonOptions& daemon, ProcessAttributes process) {
  const auto folder = executable_folder();
  const auto python = python_executable(folder, current_environment());
  const bool foreground = daemon.ready_fd < 0;
  Service::Options options;
  options.root = paths.root;
  options.process = std::move(process);
  options.status_file = paths.status_file;
  options.idle_timeout = config.idle_timeout;
  options.status.process = identify(getpid()).value_or(ProcessIdentity{getpid(), 0});
  options.status.surroundings = own_surroundings();
  options.status.version = stest_version();
  options.status.build = build_id(folder / "stestd");
  options.status.python = python.string();
  options.status.endpoint = endpoint;
  options.worker = {
      worker_host(folder, python), python,     foreground ? std::filesystem::path() : paths.log_file,
      paths.preload_file,          paths.root, daemon.package};
  options.why_useless = [files = std::make_shared<RequiredFiles>(
                             paths, std::vector{folder / "stestd", options.worker.host.executable,
                                                options.worker.host.library})] { return files->problem(); };
  return options;
}

/// The daemon starts even if the configuration is invalid: each run reports that.
Config initial_config(const RuntimePaths& paths) {
  const auto env = current_environment();
  if (auto config = load_config(paths.root, env)) return *config;
  return load_variables(env).value_or(Config{});
}

/// Serves TCP if no Unix socket can be made, as on some file systems.
Result<ServerSocket> open_socket(const RuntimePaths& paths, const Config& config) {
  if (config.force_tcp) return ServerSocket::on_loopback(config.port);
  auto socket = ServerSocket::at_path(paths.socket);
  if (socket) return socket;
  spdlog::warn("{}; serving TCP instead", socket.error().message);
  return ServerSocket::on_loopback(std::nullopt);
}

tl::unexpected<Error> denied_here(const std::string& what) {
  return fail(ErrorCode::daemon_unavailable, "the daemon cannot work here: " + what,
              "`stest doctor` says more");
}

/// Tries once what the daemon does with every worker. If a sandbox denies it, the daemon does not start, so
/// that no run waits for it.
Status try_out_surroundings() {
  if (const auto problem = proc_problem()) return denied_here(*problem);
  auto pair = make_socketpair();
  if (!pair) return denied_here(pair.error().message);
  LineChannel ours(std::move(pair->first));
  LineChannel theirs(std::move(pair->second));
  if (const auto sent = ours.send("", {STDERR_FILENO}); !sent) return denied_here(sent.error().message);
  const auto received = theirs.receive();
  if (!received) return denied_here(received.error().message);
  if (!*received || (*received)->fds.size() != 1) return denied_here("descriptors cannot be passed");
  return {};
}

std::string text(const Endpoint& endpoint) {
  return endpoint.socket.empty() ? "127.0.0.1:" + std::to_string(endpoint.port) : endpoint.socket;
}

/// Reads all signals, and reaps orphans. Returns whether a signal asks the daemon to end.
bool end_asked(int signal_fd, Children& children) {
  bool asked = false;
  signalfd_siginfo info{};
  while (::read(signal_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) {
      children.reap_orphans();
    } else {
      spdlog::info("{} received", signal_name(static_cast<int>(info.ssi_signo)));
      asked = true;
    }
  }
  return asked;
}

void wait_for_end(Service& service, int signal_fd, Children& children) {
  for (auto next = service.next_step(); !next.end; next = service.next_step()) {
    std::array<pollfd, 2> polled{{{signal_fd, POLLIN, 0}, {service.wake_fd(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), next.wait ? static_cast<int>(next.wait->count()) : -1);
    if (end_asked(signal_fd, children)) service.stop(StopWhen::now);
  }
}

/// Serves until the daemon ends. Errors: the status file cannot be written.
Status serve(ServerSocket socket, Service& service, Children& children, int signal_fd, Readiness& readiness) {
  if (auto told = service.is_announced(); !told) return told;
  const auto endpoint = socket.endpoint();
  HttpServer server(service, std::move(socket));
  auto served = std::async(std::launch::async, [&server] { server.serve(); });
  readiness.report({});
  spdlog::info("serving at {}", text(endpoint));
  wait_for_end(service, signal_fd, children);
  service.shut_down();
  server.stop();
  if (served.wait_for(connection_grace) != std::future_status::ready) {
    // A client that does not read blocks its connection's thread. Nothing is left to do for it.
    spdlog::info("ending with open connections");
    _exit(0);
  }
  return {};
}

Status start(const DaemonOptions& options, int signal_fd, Readiness& readiness) {
  const auto paths = runtime_paths(options.root, current_environment());
  if (auto made = ensure_directories(paths); !made) return made;
  const auto config = initial_config(paths);
  const bool foreground = options.ready_fd < 0;
  if (auto logging = init_logging(foreground ? "" : paths.log_file, config.log_level); !logging)
    return logging;
  auto lock = take_lock(options, paths);
  if (!lock) return tl::unexpected(lock.error());
  if (auto works = try_out_surroundings(); !works) return works;
  if (auto written = lock->write_holder(getpid()); !written) return written;
  if (auto adopted = Children::adopt_orphans(); !adopted) return adopted;
  auto socket = open_socket(paths, config);
  if (!socket) return tl::unexpected(socket.error());
  Children children;
  Service service(service_options(paths, config, socket->endpoint(), options, become_common()), children);
  spdlog::info("the root is {}", paths.root.string());
  auto served = serve(std::move(*socket), service, children, signal_fd, readiness);
  spdlog::info("ended");
  return served;
}

}  // namespace

Status run_daemon(const DaemonOptions& options) {
  close_other_fds({options.lock_fd, options.ready_fd});
  Readiness readiness(options.ready_fd);
  auto signals = take_signals();
  if (!signals) return tl::unexpected(signals.error());
  auto root = std::filesystem::absolute(options.root);
  if (::chdir("/") != 0) return errno_error("chdir /");
  auto ended =
      start({std::move(root), options.lock_fd, options.ready_fd, options.package}, signals->get(), readiness);
  if (!ended) {
    spdlog::error("{}", ended.error().message);
    readiness.report(ended);
  }
  return ended;
}

}  // namespace stest
