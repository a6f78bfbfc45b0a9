#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json/line_channel.hpp"
#include "common/os/process.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// A process that outlives a run and serves later ones. The zygote talks to it as the daemon talks to the
/// zygote. Owns the process, which ends with this object at the latest.
class SnapshotProcess {
 public:
  /// Forks. The child runs `serve` with its end of the channel and then ends.
  /// Errors: `internal`, out of descriptors or processes.
  static Result<SnapshotProcess> fork(const std::function<void(LineChannel&)>& serve);
  /// The same for a process that will run tests; see `fork_run`.
  static Result<SnapshotProcess> fork_for_run(const std::function<void(LineChannel&)>& serve);
  /// Takes over a child of this process that another child has forked.
  SnapshotProcess(pid_t pid, Fd channel)
      : SnapshotProcess(pid, std::make_unique<LineChannel>(std::move(channel))) {}

  SnapshotProcess(SnapshotProcess&& other) noexcept;
  SnapshotProcess& operator=(SnapshotProcess&&) = delete;
  ~SnapshotProcess();

  pid_t pid() const { return pid_; }

  void send(const protocol::ToWorker& message, const std::vector<int>& fds = {});
  void send(const protocol::ToWorker& message, const std::vector<Fd>& fds);

  /// The descriptor to poll; -1 once the process has closed its end.
  int fd() const { return closed_ ? -1 : channel_->fd(); }

  /// All messages that have come.
  std::vector<protocol::FromWorker> receive();
  struct Said {
    protocol::FromWorker message;
    std::vector<Fd> fds;
  };
  /// The same, with the descriptors that came with them.
  std::vector<Said> receive_all();
  /// Waits for the next message of this type, and drops others. Nothing: the process has closed its end or
  /// does not answer in time.
  template <class Answer>
  std::optional<Said> await() {
    return await([](const protocol::FromWorker& message) { return std::holds_alternative<Answer>(message); });
  }

  /// Whether the process has ended. It stays a zombie until `collect`, so no other process can have its pid.
  bool has_ended() const { return stest::has_ended(pid_); }
  /// Kills the process, and its process group unless that is ours. Does not wait for the end, which takes
  /// time.
  void kill() const;
  /// Kills the process, waits for its end, and returns its wait status.
  int collect();

  /// Must be called in another fork of the zygote, which does not own the process.
  void close_in_child();
  /// Leaves the process to the caller.
  pid_t release();

 private:
  SnapshotProcess(pid_t pid, std::unique_ptr<LineChannel> channel)
      : pid_(pid), channel_(std::move(channel)) {}
  static Result<SnapshotProcess> fork_by(pid_t (*fork)(), const std::function<void(LineChannel&)>& serve);
  std::optional<Said> await(bool (*is_answer)(const protocol::FromWorker&));
  bool is_readable() const;

  pid_t pid_;
  std::unique_ptr<LineChannel> channel_;
  bool closed_ = false;
};

}  // namespace stest
