#include "daemon/run_queue.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace stest {

namespace {

auto with_id(std::uint64_t id) {
  return [id](const std::shared_ptr<Run>& run) { return run->id == id; };
}

}  // namespace

Result<std::shared_ptr<Run>> RunQueue::admit(RunRequest request, Config config) {
  auto run = std::make_shared<Run>();
  run->request = std::move(request);
  run->config = std::move(config);
  run->arrived = std::chrono::steady_clock::now();
  run->since = std::time(nullptr);
  std::lock_guard lock(mutex_);
  if (closed_) {
    return fail(ErrorCode::daemon_unavailable, "stest's daemon is stopping and takes no more runs",
                "Run again: a new daemon is started then.");
  }
  run->id = ++last_id_;
  waiting_.push_back(run);
  return run;
}

bool RunQueue::await_turn(const Run& run, const std::function<bool(int)>& waiting) {
  std::unique_lock lock(mutex_);
  while (!start_if_first(run)) {
    const int now_at = position(run);
    lock.unlock();
    if (!waiting(now_at)) return false;
    lock.lock();
    changed_.wait_for(lock, liveness_interval, [&] { return position(run) != now_at || start_allowed(run); });
  }
  return true;
}

bool RunQueue::start_allowed(const Run& run) const {
  return !waiting_.empty() && waiting_.front().get() == &run &&
         active_.size() < static_cast<std::size_t>(std::max(run.config.concurrency, 1));
}

bool RunQueue::start_if_first(const Run& run) {
  if (!start_allowed(run)) return false;
  active_[run.id] = {waiting_.front(), ""};
  waiting_.pop_front();
  changed_.notify_all();
  return true;
}

int RunQueue::position(const Run& run) const {
  const auto at = std::find_if(waiting_.begin(), waiting_.end(), with_id(run.id));
  return static_cast<int>(at - waiting_.begin()) + 1;
}

void RunQueue::set_nodeid(const Run& run, std::string nodeid) {
  std::lock_guard lock(mutex_);
  const auto found = active_.find(run.id);
  if (found != active_.end()) found->second.nodeid = std::move(nodeid);
}

void RunQueue::leave(const Run& run) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(waiting_, with_id(run.id));
    active_.erase(run.id);
  }
  changed_.notify_all();
}

std::shared_ptr<Run> RunQueue::find(std::uint64_t id) const {
  std::lock_guard lock(mutex_);
  if (const auto active = active_.find(id); active != active_.end()) return active->second.run;
  const auto at = std::find_if(waiting_.begin(), waiting_.end(), with_id(id));
  return at == waiting_.end() ? nullptr : *at;
}

std::vector<RunQueue::View> RunQueue::list() const {
  std::lock_guard lock(mutex_);
  std::vector<View> views;
  for (const auto& [id, active] : active_) views.push_back({active.run, true, active.nodeid});
  for (const auto& run : waiting_) views.push_back({run, false, ""});
  return views;
}

bool RunQueue::empty() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty() && active_.empty();
}

void RunQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

void RunQueue::cancel_all(CancelHow how, CancelReason reason) {
  for (const auto& view : list()) {
    if (const auto run = find(view.run->id)) run->control.cancel(how, reason);
  }
}

bool RunQueue::wait_until_empty(std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return waiting_.empty() && active_.empty(); });
}

}  // namespace stest
