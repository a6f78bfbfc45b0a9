#include "worker/runner/flight_recorder.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/os/process.hpp"
#include "stest/timings.hpp"

namespace stest {
namespace {

/// Runs `body` in a child, waits for its end.
template <class Body>
void in_child(Body body) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  ASSERT_TRUE(wait_for(pid));
}

TEST(FlightRecorder, StartsForkedWithoutATest) {
  const auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  EXPECT_EQ(recorder->phase(), protocol::Phase::forked);
  EXPECT_EQ(recorder->nodeid(), "");
}

TEST(FlightRecorder, OutlivesAWriterThatIsKilled) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  in_child([&] {
    recorder->claim();
    recorder->set_phase(protocol::Phase::running);
    recorder->set_nodeid("tests/test_x.py::test_y[ä]");
    ::raise(SIGKILL);
  });
  EXPECT_EQ(recorder->phase(), protocol::Phase::running);
  EXPECT_EQ(recorder->nodeid(), "tests/test_x.py::test_y[ä]");
}

TEST(FlightRecorder, IsNotWrittenByProcessesThatTheRunnerForks) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  recorder->claim();
  recorder->set_nodeid("mine");
  in_child([&] {
    recorder->set_nodeid("a child's");
    recorder->set_phase(protocol::Phase::returned);
  });
  EXPECT_EQ(recorder->nodeid(), "mine");
  EXPECT_EQ(recorder->phase(), protocol::Phase::forked);
}

TEST(FlightRecorder, GoesOnInAnotherThatAnotherProcessMaps) {
  auto first = FlightRecorder::create();
  ASSERT_TRUE(first);
  first->claim();
  first->set_phase(protocol::Phase::running);
  first->pass(&protocol::Milestones::configured);
  const Fd memory(::memfd_create("test", 0));
  auto second = FlightRecorder::create(memory);
  ASSERT_TRUE(second);
  second->continue_from(*first);
  const auto mapped = FlightRecorder::map(memory);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->phase(), protocol::Phase::running);
  EXPECT_EQ(mapped->milestones().configured, first->milestones().configured);
  second->claim();
  second->set_nodeid("test_x.py::test");
  EXPECT_EQ(mapped->nodeid(), "test_x.py::test");
  EXPECT_EQ(first->nodeid(), "");
  EXPECT_EQ(mapped->exit_code(), std::nullopt);
}

TEST(FlightRecorder, KnowsWhenItsWriterPassedAMilestone) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  recorder->claim();
  const auto before = monotonic_ns();
  recorder->pass(&protocol::Milestones::collected);
  in_child([&] { recorder->pass(&protocol::Milestones::tested); });
  EXPECT_GE(recorder->milestones().collected, before);
  EXPECT_LE(recorder->milestones().collected, monotonic_ns());
  EXPECT_EQ(recorder->milestones().tested, 0u);
}

TEST(FlightRecorder, IsResetForTheNextRunByWhoHandsItOver) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  in_child([&] {
    recorder->claim();
    recorder->pass(&protocol::Milestones::begun);
    recorder->set_phase(protocol::Phase::starts_over);
    recorder->set_nodeid("the last run's");
    recorder->set_likes_cuda_ahead();
  });
  EXPECT_TRUE(recorder->likes_cuda_ahead());
  recorder->reset();
  EXPECT_EQ(recorder->phase(), protocol::Phase::forked);
  EXPECT_EQ(recorder->nodeid(), "");
  EXPECT_EQ(recorder->milestones().begun, 0u);
  EXPECT_FALSE(recorder->likes_cuda_ahead());
}

TEST(FlightRecorder, CutsAnEndlessNodeId) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  recorder->claim();
  recorder->set_nodeid(std::string(FlightRecorder::max_nodeid + 5, 'x'));
  EXPECT_EQ(recorder->nodeid().size(), FlightRecorder::max_nodeid);
}

TEST(FlightRecorder, HasTheLastWordOfItsWriter) {
  auto recorder = FlightRecorder::create();
  ASSERT_TRUE(recorder);
  EXPECT_EQ(recorder->exit_code(), std::nullopt);
  in_child([&] {
    recorder->claim();
    recorder->set_exit_code(0);
  });
  EXPECT_EQ(recorder->exit_code(), 0);
}

}  // namespace
}  // namespace stest
