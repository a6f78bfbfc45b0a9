#include <atomic>
#include <future>

#include "daemon/connection_threads.hpp"
#include "daemon_harness.hpp"

namespace stest {
namespace {

TEST(ConnectionThreads, RunsAllAtOnce) {
  ConnectionThreads threads;
  std::promise<void> released;
  auto release = released.get_future().share();
  std::atomic<int> running = 0;
  for (int i = 0; i < 50; ++i) {
    threads.enqueue([&, release] {
      ++running;
      release.wait();
    });
  }
  await([&] { return running == 50; }, "fifty threads");
  released.set_value();
  threads.shutdown();
}

TEST(ConnectionThreads, PausesAtTheLimitAndGoesOn) {
  ConnectionThreads threads;
  std::promise<void> released;
  auto release = released.get_future().share();
  std::atomic<std::size_t> ended = 0;
  const auto work = [&, release] {
    release.wait();
    ++ended;
  };
  for (std::size_t i = 0; i < ConnectionThreads::max_connections; ++i) threads.enqueue(work);
  auto one_more = std::async(std::launch::async, [&] { threads.enqueue(work); });
  EXPECT_EQ(one_more.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  released.set_value();
  one_more.get();
  threads.shutdown();
  EXPECT_EQ(ended, ConnectionThreads::max_connections + 1);
}

}  // namespace
}  // namespace stest
