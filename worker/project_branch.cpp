#include "project_branch.hpp"

#include <sys/wait.h>

#include <cstdio>

#include "runner.hpp"

namespace stest {

void ProjectBranch::hold(protocol::HoldProject wanted, const protocol::Ready& fallback) {
  end();
  is_spoilt_ = false;
  wanted_ = std::move(wanted);
  fallback_ = fallback;
  start();
}

void ProjectBranch::start() {
  const auto removed =
      std::erase_if(wanted_.modules, [this](const std::string& name) { return unfit_.contains(name); });
  // What is to blame comes along unasked, whoever of them brings it.
  if (is_spoilt_ && removed == 0) wanted_.modules.clear();
  is_spoilt_ = false;
  is_loading_ = !wanted_.modules.empty();
  if (is_loading_) {
    auto branch = Branch::fork([this](LineChannel& channel) { serve_(channel, wanted_); });
    if (branch) return void(branch_.emplace(std::move(*branch)));
    is_loading_ = false;
  }
  report(fallback_);
}

bool ProjectBranch::run(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (!branch_ || is_loading_) return false;
  std::vector<int> numbers;
  for (const Fd& fd : fds) numbers.push_back(fd.get());
  runs_.insert(request.id);
  branch_->send(request, numbers);
  return true;
}

bool ProjectBranch::prime(const protocol::Prime& message) {
  if (!branch_ || is_loading_) return false;
  branch_->send(message);
  return true;
}

bool ProjectBranch::forward(std::uint64_t id, const protocol::ToWorker& message) {
  if (!runs_.contains(id)) return false;
  branch_->send(message);
  return true;
}

void ProjectBranch::attend() {
  if (!branch_) return;
  const bool ended = branch_->has_ended();  // Before reading, so that nothing is said after it.
  for (const auto& message : branch_->receive()) take(message);
  if (ended && branch_) has_ended(branch_->collect());
}

void ProjectBranch::take(const protocol::FromWorker& message) {
  if (const auto* unfit = std::get_if<protocol::Unfit>(&message)) {
    std::fprintf(stderr, "stest-worker: the process that holds the project's modules must not hold %s: %s\n",
                 unfit->module.c_str(), unfit->reason.c_str());
    unfit_.emplace(unfit->module, unfit->reason);
    is_spoilt_ = true;
    return;
  }
  if (const auto* ready = std::get_if<protocol::Ready>(&message)) {
    is_loading_ = false;
    return report(*ready);
  }
  send_(message);
  const auto* done = std::get_if<protocol::Done>(&message);
  if (done == nullptr) return;
  runs_.erase(done->id);
  if (done->phase == protocol::Phase::declined && runs_.empty()) end();
}

void ProjectBranch::report(protocol::Ready ready) {
  for (const auto& [name, reason] : unfit_) ready.left_out.push_back({name, reason});
  ready_ = std::move(ready);
  send_(*ready_);
}

void ProjectBranch::has_ended(int status) {
  branch_.reset();
  for (const auto id : std::exchange(runs_, {})) {
    send_(could_not_run(id, "the process that holds the project's modules ended"));
  }
  if (!is_loading_) return;
  if (is_spoilt_) return start();
  std::fprintf(stderr, "stest-worker: the process that was to hold the project's modules ended (status %d)\n",
               status);
  is_loading_ = false;
  report(fallback_);
}

void ProjectBranch::end() {
  branch_.reset();
  for (const auto id : std::exchange(runs_, {})) send_(could_not_run(id, "the run was ended"));
  is_loading_ = false;
  ready_.reset();
}

void ProjectBranch::abandon() {
  if (branch_) branch_->abandon();
}

}  // namespace stest
