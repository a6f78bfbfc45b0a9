#include "daemon/run/run_queue.hpp"

#include "unit/daemon/harness.hpp"

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

TEST(RunQueue, AProgramNeitherWaitsNorIsWaitedFor) {
  RunQueue queue;
  const auto first = admit(queue), second = admit(queue);
  RunRequest request;
  request.python = true;
  Config config;
  config.concurrency = 1;
  const auto program = queue.admit(request, config).value();
  EXPECT_TRUE(queue.await_turn(*program, never_wait));
  EXPECT_TRUE(queue.await_turn(*first, never_wait));
  EXPECT_FALSE(queue.await_turn(*second, never_wait));
}

TEST(RunQueue, ListsWhatRunsAndWaits) {
  RunQueue queue;
  const auto first = admit(queue), second = admit(queue);
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  queue.take(*first, {"t.py::a", "start"});
  queue.take(*second, {"ignored", "start"});
  const auto views = queue.list();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].position, 0);
  EXPECT_EQ(views[0].tests.nodeid(), "t.py::a");
  EXPECT_TRUE(views[0].started);
  EXPECT_EQ(views[1].position, 1);
  EXPECT_EQ(views[1].tests.nodeid(), "");
  EXPECT_FALSE(views[1].started);
  EXPECT_EQ(queue.find(2), second);
  EXPECT_EQ(queue.find(3), nullptr);
}

TEST(RunQueue, RefusesWhoDoesNotWantToWait) {
  RunQueue queue;
  const RunRequest hasty{{"-q"}, "/", {}, 022, false, false};
  Config config;
  config.concurrency = 1;
  const auto first = queue.admit(hasty, config).value();
  EXPECT_EQ(queue.admit(hasty, config).error().message, "1 in the queue");
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  queue.take(*first, {"t.py::a", "start"});
  const auto refused = queue.admit(hasty, config).error();
  EXPECT_EQ(refused.code, ErrorCode::busy);
  EXPECT_EQ(refused.message, "run 1 (stest -q) has been running for 0 s and is at t.py::a");
  queue.leave(*first);
  EXPECT_EQ(queue.admit(hasty, config).value()->id, 2u);  // Who was refused took no number.
}

TEST(RunQueue, FindsTheRunThatHasStartedAProgram) {
  RunQueue queue;
  const auto first = admit(queue);
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  RunRequest request{{}, "/", {}, 022};
  request.python = true;
  request.cold_pid = getpid();
  EXPECT_EQ(queue.admit(request, {}).value()->parent, 0u);
  queue.set_pid(*first, getppid());
  const auto program = queue.admit(request, {}).value();
  EXPECT_EQ(program->parent, first->id);
  first->programs.ask();
  EXPECT_TRUE(program->control.take_stack_wish());
  EXPECT_FALSE(first->programs.have_answered());
  program->control.give_stack("  File \"/x/_pytest/runner.py\"\n");
  EXPECT_TRUE(first->programs.have_answered());
  EXPECT_FALSE(first->programs.stacks().empty());
}

TEST(RunQueue, ASilentRunTakesNoPlace) {
  RunQueue queue;
  const auto first = admit(queue);
  const auto second = admit(queue);
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  EXPECT_FALSE(queue.await_turn(*second, [](int) { return false; }));
  queue.set_silent(*first, true);
  EXPECT_TRUE(queue.await_turn(*second, never_wait));
  queue.set_silent(*first, false);
  const auto third = admit(queue);
  queue.leave(*second);
  EXPECT_FALSE(queue.await_turn(*third, [](int) { return false; }));
}

TEST(RunQueue, TheResidentProcessDoesOneRunAtATimeHoweverSilent) {
  RunQueue queue;
  Config resident;
  resident.isolation = "resident";
  resident.concurrency = 1;
  const auto first = queue.admit({}, resident).value();
  ASSERT_TRUE(queue.await_turn(*first, never_wait));
  queue.set_silent(*first, true);
  const auto second = queue.admit({}, resident).value();
  EXPECT_FALSE(queue.await_turn(*second, never_wait));
  queue.leave(*second);
  EXPECT_TRUE(queue.await_turn(*admit(queue), never_wait)) << "a fork does not need it";
}

TEST(RunQueue, AtLeastTwoRunsByDefaultButOneOfTheResidentProcess) {
  Config config;
  EXPECT_GE(default_concurrency(config), 2);
  config.isolation = "resident";
  EXPECT_EQ(default_concurrency(config), 1);
}

TEST(RunQueue, WhoDoesNotWaitGetsAFreePlaceOnly) {
  RunQueue queue;
  const RunRequest hasty{{}, "/", {}, 022, false, false};
  Config two;
  two.concurrency = 2;
  const auto first = admit(queue, 2);
  EXPECT_TRUE(queue.admit(hasty, two));
  EXPECT_FALSE(queue.admit(hasty, two));
  queue.leave(*first);
  EXPECT_FALSE(queue.admit(hasty, {}));
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
