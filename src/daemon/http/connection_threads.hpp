#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace stest {

/// Gives each connection its own thread, so that a status request does not wait for runs that take minutes.
/// At most `max_connections` at once.
class ConnectionThreads {
 public:
  static constexpr std::size_t max_connections = 512;

  ConnectionThreads() = default;
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;
  ~ConnectionThreads() { shutdown(); }

  /// False if there are too many connections, or if no thread can be made.
  bool enqueue(std::function<void()> connection);
  /// Joins all threads.
  void shutdown();

 private:
  using Threads = std::list<std::thread>;

  void join_finished(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable finished_one_;
  Threads threads_;
  std::vector<Threads::iterator> finished_;  ///< They only have to be joined.
};

}  // namespace stest
