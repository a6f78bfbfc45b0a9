#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace stest {

/// Gives each connection a thread of its own, so that runs that stream for minutes never keep a status
/// request waiting. At most `max_connections` at once.
class ConnectionThreads {
 public:
  static constexpr std::size_t max_connections = 512;

  ConnectionThreads() = default;
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;
  ~ConnectionThreads() { shutdown(); }

  /// False where there are too many, or the system has no thread to give.
  bool enqueue(std::function<void()> connection);
  /// Joins all threads.
  void shutdown();

 private:
  using Threads = std::list<std::thread>;

  void join_finished(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable finished_one_;
  Threads threads_;
  std::vector<Threads::iterator> finished_;  ///< Only left to be joined.
};

}  // namespace stest
