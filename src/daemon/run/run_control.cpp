#include "daemon/run/run_control.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace stest {

void RunControl::cancel(CancelHow how, CancelReason reason) {
  std::lock_guard lock(mutex_);
  strongest_ = std::max(strongest_.value_or(how), how);
  if (!reason_) reason_ = reason;
  if (deliver_) {
    deliver_(signal_of(how));
    if (std::exchange(suspended_, false)) deliver_(SIGCONT);
  } else {
    undelivered_.push_back(how);
  }
}

void RunControl::suspend(bool on) {
  std::lock_guard lock(mutex_);
  if (!deliver_) return;
  suspended_ = on;
  deliver_(on ? SIGSTOP : SIGCONT);
}

bool RunControl::is_suspended() const {
  std::lock_guard lock(mutex_);
  return suspended_;
}

void RunControl::attach(std::function<void(int)> deliver) {
  std::lock_guard lock(mutex_);
  deliver_ = std::move(deliver);
  for (const auto how : std::exchange(undelivered_, {})) deliver_(signal_of(how));
}

void RunControl::detach() {
  std::lock_guard lock(mutex_);
  deliver_ = nullptr;
}

void RunControl::want_stack() {
  std::lock_guard lock(mutex_);
  stack_.reset();
  stack_wanted_ = true;
}

void RunControl::give_stack(std::string stack) {
  std::lock_guard lock(mutex_);
  stack_ = std::move(stack);
}

std::optional<std::string> RunControl::stack() const {
  std::lock_guard lock(mutex_);
  return stack_;
}

std::optional<CancelHow> RunControl::strongest() const {
  std::lock_guard lock(mutex_);
  return strongest_;
}

std::optional<CancelReason> RunControl::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace stest
