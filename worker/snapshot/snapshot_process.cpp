#include "worker/snapshot/snapshot_process.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "worker/snapshot/fork.hpp"

namespace stest {

namespace {

/// The time for a process to end by itself, and to call the functions registered with `atexit`.
constexpr std::chrono::seconds end_grace{1};
/// Much more than needed: an answer takes a number of `stat` calls.
constexpr int answer_ms = 5000;

}  // namespace

Result<SnapshotProcess> SnapshotProcess::fork(const std::function<void(LineChannel&)>& serve) {
  return fork_by(fork_python, serve);
}

Result<SnapshotProcess> SnapshotProcess::fork_for_run(const std::function<void(LineChannel&)>& serve) {
  return fork_by([] { return fork_run(); }, serve);
}

Result<SnapshotProcess> SnapshotProcess::fork_by(pid_t (*fork)(),
                                                 const std::function<void(LineChannel&)>& serve) {
  auto pair = make_socketpair();
  if (!pair) return tl::unexpected(pair.error());
  const pid_t pid = fork();
  if (pid < 0) return errno_error("cannot fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pair->first.reset();
    LineChannel channel(std::move(pair->second));
    try {
      serve(channel);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "stest-worker: %s\n", error.what());
    }
    ::_exit(0);
  }
  return SnapshotProcess(pid, std::make_unique<LineChannel>(std::move(pair->first)));
}

SnapshotProcess::SnapshotProcess(SnapshotProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), channel_(std::move(other.channel_)), closed_(other.closed_) {}

SnapshotProcess::~SnapshotProcess() {
  if (pid_ < 0) return;
  channel_->shutdown();
  await_end(pid_, end_grace);
  collect();
}

void SnapshotProcess::send(const protocol::ToWorker& message, const std::vector<Fd>& fds) {
  std::vector<int> numbers;
  numbers.reserve(fds.size());
  for (const Fd& fd : fds) numbers.push_back(fd.get());
  send(message, numbers);
}

/// A failure is ignored: `has_ended` notices a process that is gone.
void SnapshotProcess::send(const protocol::ToWorker& message, const std::vector<int>& fds) {
  (void)channel_->send(protocol::to_json(message).dump(), fds);
}

bool SnapshotProcess::is_readable() const {
  pollfd readable{channel_->fd(), POLLIN, 0};
  return channel_->has_buffered_line() || ::poll(&readable, 1, 0) > 0;
}

std::vector<SnapshotProcess::Said> SnapshotProcess::receive_all() {
  std::vector<Said> all;
  while (!closed_ && is_readable()) {
    auto line = channel_->receive();
    auto message = line && *line
                       ? protocol::from_worker_from_json(nlohmann::json::parse((*line)->text, nullptr, false))
                       : tl::unexpected(Error{});
    if (message) {
      all.push_back({std::move(*message), std::move((*line)->fds)});
    } else {
      closed_ = true;
    }
  }
  return all;
}

std::vector<protocol::FromWorker> SnapshotProcess::receive() {
  std::vector<protocol::FromWorker> messages;
  for (Said& said : receive_all()) messages.push_back(std::move(said.message));
  return messages;
}

std::optional<SnapshotProcess::Said> SnapshotProcess::await(bool (*is_answer)(const protocol::FromWorker&)) {
  while (fd() >= 0) {
    pollfd answer{fd(), POLLIN, 0};
    const int ready = ::poll(&answer, 1, answer_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    for (Said& said : receive_all()) {
      if (is_answer(said.message)) return std::move(said);
    }
  }
  return std::nullopt;
}

void SnapshotProcess::kill() const {
  const pid_t group = ::getpgid(pid_);
  if (group > 0 && group != ::getpgrp()) ::kill(-group, SIGKILL);
  ::kill(pid_, SIGKILL);
}

int SnapshotProcess::collect() {
  kill();
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

void SnapshotProcess::close_in_child() { release(); }

pid_t SnapshotProcess::release() {
  channel_.reset();
  closed_ = true;
  return std::exchange(pid_, -1);
}

}  // namespace stest
