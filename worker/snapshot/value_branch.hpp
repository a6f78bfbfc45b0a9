#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/snapshot/branch.hpp"

namespace stest {

/// The process that holds the values of `sprintest.warm`, and is a zygote itself: runs are forked from it.
/// While it loads them, and where it cannot, they are forked from the zygote.
class ValueBranch {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;
  using Serve = std::function<void(LineChannel&, const protocol::HoldValues&)>;

  /// `send` takes what the daemon is to hear; `serve` is the child's life.
  ValueBranch(Send send, Serve serve) : send_(std::move(send)), serve_(std::move(serve)) {}

  /// Replaces the process by one that holds these values; of none where there are none. A run that the
  /// daemon has begun meanwhile comes to its end first.
  void hold(protocol::HoldValues wanted);

  /// Whether it takes the run.
  bool run(const protocol::RunTest& request, const std::vector<Fd>& fds);
  /// Whether the run is here; the message then goes to its process.
  bool forward(std::uint64_t id, const protocol::ToWorker& message);
  /// Whether it takes runs now.
  bool is_ready() const { return branch_ && !is_loading_; }
  /// Has it compile what the zygote compiles now, as soon as it is ready.
  void compile(const std::vector<std::string>& patterns);
  /// Tells it, if it is ready, whether it may fork runners ahead.
  void prime(bool may);
  /// What it last said of these.
  const protocol::Primed& primed() const { return primed_; }
  pid_t pid() const { return branch_ ? branch_->pid() : -1; }

  int fd() const { return branch_ ? branch_->fd() : -1; }
  /// Takes in what it said, and its end.
  void attend();
  /// Ends the process and its runs.
  void end();
  void abandon();

 private:
  void take(const protocol::FromWorker& message);
  void has_ended(int status);
  void let_go();
  void give_up_runs(const std::string& why);
  /// None of its runs goes on.
  void be_idle();

  Send send_;
  Serve serve_;
  std::optional<protocol::HoldValues> wanted_;
  std::optional<Branch> branch_;
  bool is_loading_ = false;
  std::vector<std::string> patterns_;  ///< To compile once it is ready.
  std::set<std::uint64_t> runs_;
  protocol::Primed primed_;
};

}  // namespace stest
