#include "worker/snapshot/value_branch.hpp"

#include <cstdio>
#include <utility>

#include "worker/runner/runner.hpp"

namespace stest {

void ValueBranch::hold(protocol::HoldValues wanted) {
  wanted_ = std::move(wanted);
  if (runs_.empty()) be_idle();
}

void ValueBranch::be_idle() {
  if (!wanted_) return;
  end();
  patterns_.clear();
  const auto wanted = *std::exchange(wanted_, std::nullopt);
  auto branch = wanted.values.empty() ? tl::unexpected(Error{})
                                      : Branch::fork([&](LineChannel& channel) { serve_(channel, wanted); });
  is_loading_ = branch.has_value();
  if (!branch) return send_(protocol::Values{});
  branch_.emplace(std::move(*branch));
}

bool ValueBranch::run(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (!is_ready()) return false;
  runs_.insert(request.id);
  branch_->send(request, fds);
  return true;
}

bool ValueBranch::forward(std::uint64_t id, const protocol::ToWorker& message) {
  if (!runs_.contains(id)) return false;
  branch_->send(message);
  return true;
}

void ValueBranch::compile(const std::vector<std::string>& patterns) {
  if (!branch_) return;
  patterns_.insert(patterns_.end(), patterns.begin(), patterns.end());
  if (is_ready() && !patterns_.empty()) {
    branch_->send(protocol::Preload{.modules = {}, .path = {}, .patterns = std::exchange(patterns_, {})});
  }
}

void ValueBranch::prime(bool may) {
  if (is_ready()) branch_->send(protocol::Prime{may});
}

void ValueBranch::attend() {
  if (!branch_) return;
  const bool ended = branch_->has_ended();  // Before reading, so that nothing is said after it.
  for (const auto& message : branch_->receive()) take(message);
  if (ended && branch_) has_ended(branch_->collect());
  if (runs_.empty()) be_idle();
}

void ValueBranch::take(const protocol::FromWorker& message) {
  if (const auto* primed = std::get_if<protocol::Primed>(&message)) primed_ = *primed;
  if (std::holds_alternative<protocol::Ready>(message)) return;  // It has compiled something.
  if (std::holds_alternative<protocol::Values>(message)) {
    is_loading_ = false;
    compile({});
  }
  send_(message);
  const auto* done = std::get_if<protocol::Done>(&message);
  if (done != nullptr) runs_.erase(done->id);
}

void ValueBranch::has_ended(int status) {
  let_go();
  give_up_runs("the process that holds values ended");
  if (!std::exchange(is_loading_, false)) return;
  std::fprintf(stderr, "stest-worker: the process that holds values ended while it loaded them (status %d)\n",
               status);
  send_(protocol::Values{});
}

void ValueBranch::let_go() {
  branch_.reset();
  primed_ = {};
}

void ValueBranch::end() {
  let_go();
  give_up_runs("the run was ended");
  is_loading_ = false;
}

void ValueBranch::give_up_runs(const std::string& why) {
  for (const auto id : std::exchange(runs_, {})) send_(could_not_run(id, why));
}

void ValueBranch::abandon() {
  if (branch_) branch_->abandon();
}

}  // namespace stest
