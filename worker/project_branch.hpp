#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "run_branch.hpp"

namespace stest {

/// The process that holds the project's modules for `RunMode::surgical`. Nothing is loaded twice in it: once
/// its modules are no longer those that runs need, it is replaced.
class ProjectBranch final : public RunBranch {
 public:
  using Serve = std::function<void(LineChannel&, const protocol::HoldProject&)>;

  /// `serve` is the child's life.
  ProjectBranch(Send send, Serve serve)
      : RunBranch(std::move(send), "the process that holds the project's modules"),
        serve_(std::move(serve)) {}

  /// Replaces the process by one that holds these modules. `Ready` tells the daemon when that is done;
  /// without modules in it where it cannot be done, from `fallback`.
  void hold(protocol::HoldProject wanted, const protocol::Ready& fallback);

  /// What it last told the daemon, since `end`.
  const std::optional<protocol::Ready>& ready() const { return ready_; }
  void end() override;

 private:
  void start();
  void take(const protocol::FromWorker& message) override;
  void has_failed(int status) override;
  /// What the process is like, or the zygote in its place, and what it must not hold.
  void report(protocol::Ready ready);

  Serve serve_;
  protocol::HoldProject wanted_;
  protocol::Ready fallback_;
  std::optional<protocol::Ready> ready_;
  bool is_spoilt_ = false;                    ///< It ends by itself: it has loaded what it must not hold.
  std::map<std::string, std::string> unfit_;  ///< Modules that such a process must not hold, and why.
};

}  // namespace stest
