#include "daemon/http/connection_threads.hpp"

#include <atomic>
#include <future>

#include "unit/daemon/harness.hpp"

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

TEST(ConnectionThreads, RefusesAtTheLimitAndGoesOnAfterwards) {
  ConnectionThreads threads;
  std::promise<void> released;
  auto release = released.get_future().share();
  const auto work = [release] { release.wait(); };
  for (std::size_t i = 0; i < ConnectionThreads::max_connections; ++i) EXPECT_TRUE(threads.enqueue(work));
  EXPECT_FALSE(threads.enqueue(work));
  released.set_value();
  await([&] { return threads.enqueue(work); }, "a free place");
  threads.shutdown();
}

}  // namespace
}  // namespace stest
