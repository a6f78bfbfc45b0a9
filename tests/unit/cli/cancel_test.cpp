#include "cli/cancel.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <vector>

namespace stest {
namespace {

using Step = Escalation::Step;

TEST(EscalationTest, EachCtrlCIsStrongerThanTheLast) {
  Escalation escalation;
  EXPECT_EQ(escalation.next(SIGINT, true), Step::interrupt);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::terminate);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::kill);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::leave);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::leave);
}

TEST(EscalationTest, SighupBeginsWithTerminate) {
  Escalation escalation;
  EXPECT_EQ(escalation.next(SIGHUP, true), Step::terminate);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::kill);
}

TEST(EscalationTest, SigtermEndsAndAnotherOneLeavesAtOnce) {
  Escalation escalation;
  const Escalation::Clock::time_point now{};
  EXPECT_EQ(escalation.next(SIGTERM, true, now), Step::end);
  EXPECT_EQ(escalation.next(SIGTERM, true, now + std::chrono::milliseconds(5)), Step::nothing) << "timeout's";
  EXPECT_EQ(escalation.next(SIGINT, true, now), Step::kill);
  EXPECT_EQ(escalation.next(SIGTERM, true, now + std::chrono::seconds(1)), Step::leave);
}

TEST(EscalationTest, SigtermAfterCtrlCEnds) {
  Escalation escalation;
  EXPECT_EQ(escalation.next(SIGINT, true), Step::interrupt);
  EXPECT_EQ(escalation.next(SIGTERM, true), Step::end);
}

TEST(EscalationTest, WithoutARunThereIsNothingToCancel) {
  Escalation escalation;
  EXPECT_EQ(escalation.next(SIGINT, false), Step::leave);
  EXPECT_EQ(escalation.next(SIGTERM, false), Step::leave);
  EXPECT_EQ(escalation.next(SIGINT, true), Step::interrupt) << "leaving does not count as a step";
}

/// Records what a canceller does, and waits for it.
class Record {
 public:
  Canceller::Actions actions() {
    return {[this](std::uint64_t id, CancelHow how) { add(std::to_string(id) + text(how)); },
            [this](int signal) { add("leave by " + std::to_string(signal)); }};
  }

  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    added_.wait_for(lock, std::chrono::seconds(10), [&] { return steps_.size() >= count; });
    return steps_;
  }

 private:
  static std::string text(CancelHow how) {
    return how == CancelHow::interrupt ? " interrupt" : how == CancelHow::terminate ? " terminate" : " kill";
  }

  void add(std::string step) {
    const std::lock_guard lock(mutex_);
    steps_.push_back(std::move(step));
    added_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable added_;
  std::vector<std::string> steps_;
};

TEST(CancellerTest, SignalsBecomeCancelsOfTheRun) {
  Record record;
  Canceller canceller(record.actions());
  canceller.run_started(7);
  for (std::size_t count = 1; count <= 3; ++count) {
    ::raise(SIGINT);
    record.wait_for(count);
  }
  EXPECT_EQ(record.wait_for(3), (std::vector<std::string>{"7 interrupt", "7 terminate", "7 kill"}));
}

TEST(CancellerTest, BeforeTheRunASignalLeaves) {
  Record record;
  const Canceller canceller(record.actions());
  ::raise(SIGHUP);
  EXPECT_EQ(record.wait_for(1), std::vector<std::string>{"leave by " + std::to_string(SIGHUP)});
}

TEST(CancellerTest, HandlersAreRestored) {
  struct sigaction before {
  }, during{}, after{};
  ::sigaction(SIGINT, nullptr, &before);
  {
    Record record;
    const Canceller canceller(record.actions());
    ::sigaction(SIGINT, nullptr, &during);
  }
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_NE(during.sa_handler, before.sa_handler);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST(CancellerTest, AnIgnoredSignalStaysIgnored) {
  ::signal(SIGHUP, SIG_IGN);
  {
    Record record;
    const Canceller canceller(record.actions());
    struct sigaction during {};
    ::sigaction(SIGHUP, nullptr, &during);
    EXPECT_EQ(during.sa_handler, SIG_IGN);
  }
  ::signal(SIGHUP, SIG_DFL);
}

TEST(LeaveBySignalTest, CtrlCIsPytestsInterruptedAndOthersStaySignals) {
  EXPECT_EXIT(leave_by_signal(SIGINT), ::testing::ExitedWithCode(2), "");
  EXPECT_EXIT(leave_by_signal(SIGTERM), ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace stest
