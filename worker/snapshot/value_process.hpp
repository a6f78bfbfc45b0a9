#pragma once

#include <functional>
#include <optional>

#include "worker/python/preload.hpp"
#include "worker/snapshot/forked.hpp"

namespace stest {

/// The value process, which holds the values of `sprintest.warm`. While it is ready, runs are forked from it
/// instead of the zygote. Its forks are children of the zygote, so it may end at any time.
class ValueProcess {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;

  /// `send` sends a message to the daemon. `leave` is called in the child.
  ValueProcess(Preloader& preloader, Send send, std::function<void()> leave)
      : preloader_(preloader), send_(std::move(send)), leave_(std::move(leave)) {}

  /// Replaces the process by one that holds these values, or ends it if there are none.
  void hold(const protocol::HoldValues& wanted);

  /// The process from which runs are forked; nullptr while that is the zygote.
  SnapshotProcess* ready() { return process_ && !is_loading_ ? &*process_ : nullptr; }
  pid_t pid() const { return process_ ? process_->pid() : -1; }
  int fd() const { return process_ ? process_->fd() : -1; }
  /// Handles the messages of the process and its end.
  void attend();
  void end();
  void close_in_child();

 private:
  Preloader& preloader_;
  Send send_;
  std::function<void()> leave_;
  std::optional<SnapshotProcess> process_;
  bool is_loading_ = false;
};

}  // namespace stest
