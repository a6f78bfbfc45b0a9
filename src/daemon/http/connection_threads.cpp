#include "daemon/http/connection_threads.hpp"

#include <system_error>
#include <utility>

namespace stest {

bool ConnectionThreads::enqueue(std::function<void()> connection) {
  std::unique_lock lock(mutex_);
  join_finished(lock);
  if (threads_.size() == max_connections) return false;
  const auto self = threads_.emplace(threads_.end());
  try {
    // The new thread needs the lock to report its end, so this assignment comes first.
    *self = std::thread([this, self, work = std::move(connection)] {
      work();
      std::lock_guard done(mutex_);
      finished_.push_back(self);
      finished_one_.notify_all();
    });
  } catch (const std::system_error&) {
    threads_.erase(self);
    return false;
  }
  return true;
}

void ConnectionThreads::shutdown() {
  std::unique_lock lock(mutex_);
  finished_one_.wait(lock, [this] { return threads_.size() == finished_.size(); });
  join_finished(lock);
}

void ConnectionThreads::join_finished(std::unique_lock<std::mutex>& lock) {
  Threads done;
  for (const auto& thread : std::exchange(finished_, {})) done.splice(done.end(), threads_, thread);
  lock.unlock();
  for (auto& thread : done) thread.join();
  lock.lock();
}

}  // namespace stest
