#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/python/preload.hpp"
#include "worker/snapshot/forked.hpp"

namespace stest {

/// The snapshot that holds the values of `sprintest.warm`: while it is ready, runs are forked from it instead
/// of from the zygote. Its forks are the zygote's children, so that it may end at any time.
class ValueProcess {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;

  /// `send` takes what the daemon is to hear; `leave` is called in the child.
  ValueProcess(Preloader& preloader, Send send, std::function<void()> leave)
      : preloader_(preloader), send_(std::move(send)), leave_(std::move(leave)) {}

  /// Replaces the process by one that holds these values; by none where there are none.
  void hold(const protocol::HoldValues& wanted);
  /// Has it compile what the zygote compiles now, once it is ready.
  void compile(const std::vector<std::string>& patterns);

  /// What runs are forked from; nullptr while it is the zygote.
  SnapshotProcess* ready() { return process_ && !is_loading_ ? &*process_ : nullptr; }
  pid_t pid() const { return process_ ? process_->pid() : -1; }
  int fd() const { return process_ ? process_->fd() : -1; }
  /// Takes in what it said, and its end.
  void attend();
  void end();
  void close_in_child();

 private:
  Preloader& preloader_;
  Send send_;
  std::function<void()> leave_;
  std::optional<SnapshotProcess> process_;
  bool is_loading_ = false;
  std::vector<std::string> patterns_;  ///< To compile once it is ready.
};

}  // namespace stest
