#pragma once

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "daemon/run/run_queue.hpp"

namespace stest {

/// Reports to the client of a waiting run its position and the runs that it waits for: at each change of the
/// position, and at most once per second when another test runs.
class QueueProgress {
 public:
  QueueProgress(const Run& run, const Listener& listener, const RunQueue& queue)
      : run_(run), listener_(listener), queue_(queue) {}

  /// Must be called at least every `liveness_interval`.
  void tell(int position) {
    const auto now = Clock::now();
    if (position == position_ && now - told_ < std::chrono::seconds(1)) return;
    event::Queued queued{run_.id, position, running()};
    if (std::exchange(position_, position) == position && is_same(queued.running)) return;
    told_ = now;
    told_running_ = queued.running;
    listener_.emit(queued);
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::vector<event::Running> running() const {
    std::vector<event::Running> list;
    for (const auto& view : queue_.list()) {
      if (!view.started || !takes_place(view, run_.config)) continue;
      const std::chrono::duration<double> seconds = std::chrono::system_clock::now() - *view.started;
      list.push_back(
          {view.run->id, view.run->request.args, view.tests.nodeid(), std::max(seconds.count(), 0.0)});
    }
    return list;
  }

  bool is_same(const std::vector<event::Running>& now) const {
    return std::equal(now.begin(), now.end(), told_running_.begin(), told_running_.end(),
                      [](const auto& a, const auto& b) { return a.id == b.id && a.nodeid == b.nodeid; });
  }

  const Run& run_;
  const Listener& listener_;
  const RunQueue& queue_;
  int position_ = 0;
  Clock::time_point told_;
  std::vector<event::Running> told_running_;
};

}  // namespace stest
