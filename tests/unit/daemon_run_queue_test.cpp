#include "daemon/run_queue.hpp"
#include "daemon_harness.hpp"

namespace stest {
namespace {

std::shared_ptr<Run> admit(RunQueue& queue, int concurrency = 1) {
  Config config;
  config.concurrency = concurrency;
  return queue.admit({}, config).value();
}

bool never_wait(int) { return false; }

TEST(RunQueue, NumbersRunsFromOne) {
  RunQueue queue;
  EXPECT_EQ(admit(queue)->id, 1u);
  EXPECT_EQ(admit(queue)->id, 2u);
}

TEST(RunQueue, ServesInTheOrderOfArrival) {
  RunQueue queue;
  const auto first = admit(queue), second = admit(queue), third = admit(queue);
  EXPECT_FALSE(queue.await_turn(*second, never_wait));
  EXPECT_TRUE(queue.await_turn(*first, never_wait));
  std::vector<int> positions;
  std::thread waiting([&] {
    EXPECT_TRUE(queue.await_turn(*third, [&](int position) {
      if (positions.empty() || positions.back() != position) positions.push_back(position);
      if (position == 2) queue.leave(*second);
      if (position == 1) queue.leave(*first);
      return true;
    }));
  });
  waiting.join();
  EXPECT_EQ(positions, (std::vector<int>{2, 1}));
}

TEST(RunQueue, RunsAsManyAsAllowed) {
  RunQueue queue;
  const auto first = admit(queue, 2), second = admit(queue, 2), third = admit(queue, 2);
  EXPECT_TRUE(queue.await_turn(*first, never_wait));
  EXPECT_TRUE(queue.await_turn(*second, never_wait));
  EXPECT_FALSE(queue.await_turn(*third, never_wait));
  queue.leave(*second);
  EXPECT_TRUE(queue.await_turn(*third, never_wait));
}

TEST(RunQueue, ListsWhatRunsAndWaits) {
  RunQueue queue;
  const auto first = admit(queue), second = admit(queue);
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  queue.set_nodeid(*first, "t.py::a");
  queue.set_nodeid(*second, "ignored");
  const auto views = queue.list();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_TRUE(views[0].running);
  EXPECT_EQ(views[0].nodeid, "t.py::a");
  EXPECT_FALSE(views[1].running);
  EXPECT_EQ(views[1].nodeid, "");
  EXPECT_EQ(queue.find(2), second);
  EXPECT_EQ(queue.find(3), nullptr);
}

TEST(RunQueue, TakesNothingOnceClosed) {
  RunQueue queue;
  const auto run = admit(queue);
  queue.close();
  EXPECT_EQ(queue.admit({}, {}).error().code, ErrorCode::daemon_unavailable);
  queue.cancel_all(CancelHow::terminate, CancelReason::stop);
  EXPECT_EQ(run->control.reason(), CancelReason::stop);
  EXPECT_FALSE(queue.wait_until_empty(std::chrono::milliseconds(1)));
  queue.leave(*run);
  queue.leave(*run);
  EXPECT_TRUE(queue.wait_until_empty(std::chrono::milliseconds(1)));
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace stest
