#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "branch.hpp"

namespace stest {

/// The process that holds the project's modules for `RunMode::surgical`. It is a zygote itself: the runs
/// are forked from it. Nothing is loaded twice in it: once its modules are no longer those that runs
/// need, it is replaced.
class ProjectBranch {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;
  using Serve = std::function<void(LineChannel&, const protocol::HoldProject&)>;

  /// `send` takes what the daemon is to hear; `serve` is the child's life.
  ProjectBranch(Send send, Serve serve) : send_(std::move(send)), serve_(std::move(serve)) {}

  /// Replaces the process by one that holds these modules. `Ready` tells the daemon when that is done;
  /// without modules in it where it cannot be done, from `fallback`.
  void hold(protocol::HoldProject wanted, const protocol::Ready& fallback);

  /// Whether it takes the run.
  bool run(const protocol::RunTest& request, const std::vector<Fd>& fds);
  /// Whether the run is here; the message then goes to its process.
  bool forward(std::uint64_t id, const protocol::ToWorker& message);
  /// Whether it is there to fork runners ahead, as it is then told.
  bool prime(const protocol::Prime& message);
  /// What it last told the daemon, since `end`.
  const std::optional<protocol::Ready>& ready() const { return ready_; }
  pid_t pid() const { return branch_ ? branch_->pid() : -1; }

  int fd() const { return branch_ ? branch_->fd() : -1; }
  /// Takes in what it said, and its end.
  void attend();
  /// Ends the process and its runs.
  void end();
  void abandon();

 private:
  void start();
  void take(const protocol::FromWorker& message);
  void has_ended(int status);
  /// What the process is like, or the zygote in its place, and what it must not hold.
  void report(protocol::Ready ready);

  Send send_;
  Serve serve_;
  std::optional<Branch> branch_;
  protocol::HoldProject wanted_;
  protocol::Ready fallback_;
  std::optional<protocol::Ready> ready_;
  bool is_loading_ = false;
  bool is_spoilt_ = false;                    ///< It ends by itself: it has loaded what it must not hold.
  std::map<std::string, std::string> unfit_;  ///< Modules that such a process must not hold, and why.
  std::set<std::uint64_t> runs_;
};

}  // namespace stest
