#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json/line_channel.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// A fork of the zygote that outlives a run and serves the next ones: the zygote speaks with it as the
/// daemon speaks with the zygote. Owns the process, which ends, at the latest, with this object.
class SnapshotProcess {
 public:
  /// Forks; the child runs `serve` with its end of the channel, and never returns from there.
  /// Errors: `internal`, out of descriptors or processes.
  static Result<SnapshotProcess> fork(const std::function<void(LineChannel&)>& serve);
  /// The same for a process in which tests will run; see `fork_run`.
  static Result<SnapshotProcess> fork_for_run(const std::function<void(LineChannel&)>& serve);
  /// One that another child of this process has forked, as a child of this one.
  SnapshotProcess(pid_t pid, Fd channel)
      : SnapshotProcess(pid, std::make_unique<LineChannel>(std::move(channel))) {}

  SnapshotProcess(SnapshotProcess&& other) noexcept;
  SnapshotProcess& operator=(SnapshotProcess&&) = delete;
  ~SnapshotProcess();

  pid_t pid() const { return pid_; }

  void send(const protocol::ToWorker& message, const std::vector<int>& fds = {});
  void send(const protocol::ToWorker& message, const std::vector<Fd>& fds);

  /// What to poll; -1 once the process has closed its end.
  int fd() const { return closed_ ? -1 : channel_->fd(); }

  /// Everything that it has said by now.
  std::vector<protocol::FromWorker> receive();
  struct Said {
    protocol::FromWorker message;
    std::vector<Fd> fds;
  };
  /// The same, with the descriptors that came along.
  std::vector<Said> receive_all();
  /// Blocks for the next message of this kind, an answer, for which others are passed over: a process that
  /// has just been killed gives none.
  template <class Answer>
  std::optional<Said> await() {
    return await([](const protocol::FromWorker& message) { return std::holds_alternative<Answer>(message); });
  }

  /// Whether the process has ended. It stays a zombie until `collect`, and its pid nobody else's.
  bool has_ended() const;
  /// Kills it, and what is left in its group where that is not ours. Does not wait: the kernel takes its time
  /// to end a process.
  void kill() const;
  /// Waits for it, having killed it; returns its wait status.
  int collect();

  /// For another fork of the zygote, whose child this process is not.
  void close_in_child();
  /// Leaves the process to the caller.
  pid_t release();

 private:
  SnapshotProcess(pid_t pid, std::unique_ptr<LineChannel> channel)
      : pid_(pid), channel_(std::move(channel)) {}
  static Result<SnapshotProcess> fork_by(pid_t (*fork)(), const std::function<void(LineChannel&)>& serve);
  std::optional<Said> await(bool (*is_answer)(const protocol::FromWorker&));
  void await_end(std::chrono::milliseconds patience) const;
  bool is_readable() const;

  pid_t pid_;
  std::unique_ptr<LineChannel> channel_;
  bool closed_ = false;
};

}  // namespace stest
