#include "daemon/worker/worker_process.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

namespace stest {

namespace {

constexpr int channel_fd = 3;  ///< The worker's end, in the worker.
/// A worker that does not read for this time hangs. Almost always a message fits into the socket's buffer.
constexpr std::chrono::seconds send_patience{60};
/// The time that a worker has to exit after it has closed its channel.
constexpr std::chrono::seconds exit_grace{2};

Result<Fd> open_file(const std::filesystem::path& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) return errno_error("open " + path.string());
  return fd;
}

Result<Fd> open_log(const std::filesystem::path& file) {
  if (!file.empty()) return open_file(file, O_WRONLY | O_APPEND | O_CREAT);
  Fd fd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, channel_fd));
  if (!fd) return errno_error("dup of stderr");
  return fd;
}

Result<int> start(const WorkerCommand& command, int channel, Children& children) {
  auto null = open_file("/dev/null", O_RDONLY);
  if (!null) return tl::unexpected(null.error());
  auto log = open_log(command.log_file);
  if (!log) return tl::unexpected(log.error());
  SpawnOptions options;
  options.args = {"--channel-fd", std::to_string(channel_fd), "--python", command.python.string(),
                  "--root",       command.root.string()};
  if (!command.target.empty()) options.args.insert(options.args.end(), {"--target", command.target});
  if (!command.target_path.empty()) {
    options.args.insert(options.args.end(), {"--target-path", command.target_path});
  }
  if (!command.package.empty()) {
    options.args.insert(options.args.end(), {"--package", command.package.string()});
  }
  for (const auto& pattern : command.ignore) {
    options.args.insert(options.args.end(), {"--ignore", pattern});
  }
  options.cwd = command.cwd;
  options.fds = {{0, null->get()}, {1, log->get()}, {2, log->get()}, {channel_fd, channel}};
  options.new_session = true;
  options.affinity = command.affinity;
  options.stack = command.stack;
  Environment env = command.env;
  const Fd library = start_worker(options, command.host, env);
  return children.spawn(options);
}

/// The run that a message is about, if any.
std::optional<std::uint64_t> run_of(const protocol::FromWorker& message) {
  return std::visit(
      [](const auto& kind) -> std::optional<std::uint64_t> {
        if constexpr (requires { kind.id; }) return kind.id;
        return std::nullopt;
      },
      message);
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::spawn(const WorkerCommand& command,
                                                            Children& children) {
  auto pair = make_socketpair();
  if (!pair) return tl::unexpected(pair.error());
  auto pid = start(command, pair->second.get(), children);
  if (!pid) {
    return fail(ErrorCode::worker_failed, pid.error().message,
                "stest's executables must be in one folder; install stest again.");
  }
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(*pid, std::move(pair->first), children));
}

WorkerProcess::WorkerProcess(int pid, Fd channel, Children& children)
    : pid_(pid), channel_(std::move(channel)), children_(children) {
  channel_.set_send_patience(send_patience);
}

void WorkerProcess::listen(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  waiter_ = std::thread([this] { await_exit(); });
  reader_ = std::thread([this] { read_all(); });
}

WorkerProcess::~WorkerProcess() {
  kill();
  if (reader_.joinable()) {
    reader_.join();
    waiter_.join();
  } else {
    children_.wait(pid_);
  }
}

Status WorkerProcess::send(const protocol::ToWorker& message, const std::vector<int>& fds) {
  return channel_.send(protocol::to_json(message).dump(), fds);
}

Result<std::shared_ptr<Mailbox>> WorkerProcess::open_mailbox(std::uint64_t id) {
  auto mailbox = Mailbox::create();
  if (!mailbox) return mailbox;
  std::lock_guard lock(mutex_);
  if (ended_) {
    (*mailbox)->put_death(*exit_);
  } else {
    mailboxes_[id] = *mailbox;
  }
  return mailbox;
}

void WorkerProcess::close_mailbox(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  mailboxes_.erase(id);
}

void WorkerProcess::stop(std::chrono::milliseconds grace) {
  (void)send(protocol::Shutdown{});  // The worker may have ended already.
  if (!wait_for_exit(grace)) kill();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_; });
}

void WorkerProcess::suspend(bool on) {
  const std::lock_guard lock(mutex_);
  if (!on && suspensions_ == 0) return;  // `resume` was called.
  suspensions_ += on ? 1 : -1;
  if (suspensions_ == (on ? 1 : 0)) children_.signal_group(pid_, on ? SIGSTOP : SIGCONT);
}

void WorkerProcess::resume() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(suspensions_, 0) > 0) children_.signal_group(pid_, SIGCONT);
}

bool WorkerProcess::is_suspended() const {
  const std::lock_guard lock(mutex_);
  return suspensions_ > 0;
}

void WorkerProcess::kill() { children_.signal(pid_, SIGKILL); }

void WorkerProcess::give_up(std::string why) {
  {
    std::lock_guard lock(mutex_);
    if (why_given_up_.empty()) why_given_up_ = std::move(why);
  }
  spdlog::warn("killing worker {}: it {}", pid_, why_given_up());
  kill();
}

std::string WorkerProcess::why_given_up() const {
  std::lock_guard lock(mutex_);
  return why_given_up_;
}

void WorkerProcess::read_all() {
  for (;;) {
    auto line = channel_.receive();
    if (!line) spdlog::error("worker {}: {}", pid_, line.error().message);
    if (!line || !*line || !dispatch((*line)->text)) break;
  }
  if (!wait_for_exit(exit_grace)) {
    spdlog::error("worker {} closed its channel and did not exit; killing it", pid_);
    kill();
  }
  announce_end();
}

bool WorkerProcess::dispatch(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  auto message = protocol::from_worker_from_json(json);
  if (!message) {
    spdlog::error("worker {} sent an invalid message: {}", pid_, message.error().message);
    kill();
    return false;
  }
  if (!deliver(*message)) callbacks_.message(*message);
  return true;
}

bool WorkerProcess::deliver(const protocol::FromWorker& message) {
  const auto id = run_of(message);
  if (!id) return false;
  std::lock_guard lock(mutex_);
  const auto found = mailboxes_.find(*id);
  if (found != mailboxes_.end()) found->second->put(message);
  return true;
}

void WorkerProcess::await_exit() {
  const auto status = children_.wait(pid_);
  children_.kill_orphans();
  {
    std::lock_guard lock(mutex_);
    exit_ = status;
  }
  changed_.notify_all();
  // A descendant may have kept the other end open. What the worker has sent can still be read.
  channel_.shutdown();
}

bool WorkerProcess::wait_for_exit(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return exit_.has_value(); });
}

void WorkerProcess::announce_end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return exit_.has_value(); });
  const auto status = *exit_;
  lock.unlock();
  callbacks_.ended(status);
  lock.lock();
  // Last, because a thread that sees `ended_` may start the next worker.
  ended_ = true;
  for (const auto& [id, mailbox] : mailboxes_) mailbox->put_death(status);
  lock.unlock();
  changed_.notify_all();
}

}  // namespace stest
