#include "run_branch.hpp"

#include <utility>

#include "runner.hpp"

namespace stest {

bool RunBranch::fork(const std::function<void(LineChannel&)>& serve) {
  patterns_.clear();
  auto branch = Branch::fork(serve);
  is_loading_ = branch.has_value();
  if (branch) branch_.emplace(std::move(*branch));
  return is_loading_;
}

bool RunBranch::run(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (!is_ready()) return false;
  runs_.insert(request.id);
  branch_->send(request, fds);
  return true;
}

bool RunBranch::forward(std::uint64_t id, const protocol::ToWorker& message) {
  if (!runs_.contains(id)) return false;
  branch_->send(message);
  return true;
}

void RunBranch::compile(const std::vector<std::string>& patterns) {
  if (!branch_) return;
  patterns_.insert(patterns_.end(), patterns.begin(), patterns.end());
  if (is_ready() && !patterns_.empty()) {
    branch_->send(protocol::Preload{.modules = {}, .path = {}, .patterns = std::exchange(patterns_, {})});
  }
}

void RunBranch::has_loaded() {
  is_loading_ = false;
  compile({});
}

void RunBranch::prime(bool may) {
  if (is_ready()) branch_->send(protocol::Prime{may});
}

void RunBranch::attend() {
  if (!branch_) return;
  const bool ended = branch_->has_ended();  // Before reading, so that nothing is said after it.
  for (const auto& message : branch_->receive()) take_any(message);
  if (ended && branch_) has_ended(branch_->collect());
  if (runs_.empty()) be_idle();
}

void RunBranch::take_any(const protocol::FromWorker& message) {
  if (const auto* primed = std::get_if<protocol::Primed>(&message)) primed_ = *primed;
  if (std::holds_alternative<protocol::Ready>(message) && is_ready()) return;  // It has compiled something.
  take(message);
  const auto* done = std::get_if<protocol::Done>(&message);
  if (done == nullptr) return;
  runs_.erase(done->id);
  if (done->phase == protocol::Phase::declined && runs_.empty()) end();
}

void RunBranch::has_ended(int status) {
  let_go();
  give_up_runs(std::string(name_) + " ended");
  if (std::exchange(is_loading_, false)) has_failed(status);
}

void RunBranch::let_go() {
  branch_.reset();
  primed_ = {};
}

void RunBranch::end() {
  let_go();
  give_up_runs("the run was ended");
  is_loading_ = false;
}

void RunBranch::give_up_runs(const std::string& why) {
  for (const auto id : std::exchange(runs_, {})) send_(could_not_run(id, why));
}

void RunBranch::abandon() {
  if (branch_) branch_->abandon();
}

}  // namespace stest
