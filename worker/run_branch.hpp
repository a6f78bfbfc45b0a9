#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "branch.hpp"

namespace stest {

/// A branch that is a zygote itself: it holds something for runs, which are forked from it.
class RunBranch {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;

  RunBranch(const RunBranch&) = delete;
  RunBranch& operator=(const RunBranch&) = delete;

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
  virtual void end();
  void abandon();

 protected:
  /// `send` takes what the daemon is to hear. `name` is the process's, in messages.
  RunBranch(Send send, const char* name) : send_(std::move(send)), name_(name) {}
  ~RunBranch() = default;

  void send(const protocol::FromWorker& message) const { send_(message); }
  const char* name() const { return name_; }

  /// Has another process do it; returns whether there is one now. It takes runs once it `has_loaded`.
  bool fork(const std::function<void(LineChannel&)>& serve);
  void has_loaded();

  /// What the process says; the daemon hears it unless this does something else.
  virtual void take(const protocol::FromWorker& message) { send_(message); }
  /// The process ended before it `has_loaded`.
  virtual void has_failed(int status) = 0;

  bool has_runs() const { return !runs_.empty(); }
  /// None of its runs goes on.
  virtual void be_idle() {}

 private:
  void take_any(const protocol::FromWorker& message);
  void has_ended(int status);
  void let_go();
  void give_up_runs(const std::string& why);

  Send send_;
  const char* name_;
  std::optional<Branch> branch_;
  bool is_loading_ = false;
  std::vector<std::string> patterns_;  ///< To compile once it is ready.
  std::set<std::uint64_t> runs_;
  protocol::Primed primed_;
};

}  // namespace stest
