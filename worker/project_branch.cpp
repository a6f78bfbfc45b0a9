#include "project_branch.hpp"

#include <cstdio>

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
  if (!wanted_.modules.empty() && fork([this](LineChannel& channel) { serve_(channel, wanted_); })) return;
  report(fallback_);
}

void ProjectBranch::take(const protocol::FromWorker& message) {
  if (const auto* unfit = std::get_if<protocol::Unfit>(&message)) {
    std::fprintf(stderr, "stest-worker: %s must not hold %s: %s\n", name(), unfit->module.c_str(),
                 unfit->reason.c_str());
    unfit_.emplace(unfit->module, unfit->reason);
    is_spoilt_ = true;
    return;
  }
  if (const auto* ready = std::get_if<protocol::Ready>(&message)) {
    has_loaded();
    return report(*ready);
  }
  send(message);
}

void ProjectBranch::report(protocol::Ready ready) {
  for (const auto& [name, reason] : unfit_) ready.left_out.push_back({name, reason});
  ready_ = std::move(ready);
  send(*ready_);
}

void ProjectBranch::has_failed(int status) {
  if (is_spoilt_) return start();
  std::fprintf(stderr, "stest-worker: %s ended while it loaded them (status %d)\n", name(), status);
  report(fallback_);
}

void ProjectBranch::end() {
  RunBranch::end();
  ready_.reset();
}

}  // namespace stest
