#include "cli/run/termination.hpp"

#include <chrono>

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto stack_patience = 1s;
/// The tests' time to clean up. If they take longer, the daemon still ends them.
constexpr auto end_patience = 3s;

}  // namespace

Termination::~Termination() {
  run_ended();
  if (thread_.joinable()) thread_.join();
}

void Termination::begin() {
  const std::lock_guard lock(mutex_);
  has_begun_ = true;
  if (!is_over_) thread_ = std::thread([this] { serve(); });
}

bool Termination::has_begun() const {
  const std::lock_guard lock(mutex_);
  return has_begun_;
}

void Termination::note(bool Termination::*fact) {
  {
    const std::lock_guard lock(mutex_);
    this->*fact = true;
  }
  noted_.notify_all();
}

void Termination::serve() {
  actions_.ask_stack();
  std::unique_lock lock(mutex_);
  noted_.wait_for(lock, stack_patience, [this] { return has_stack_ || is_over_; });
  lock.unlock();
  actions_.terminate();
  lock.lock();
  const bool is_over = noted_.wait_for(lock, end_patience, [this] { return is_over_; });
  lock.unlock();
  if (!is_over) actions_.leave();
}

}  // namespace stest
