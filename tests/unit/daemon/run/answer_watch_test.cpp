#include "daemon/run/answer_watch.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using namespace std::chrono_literals;

/// Ticks five times a second.
class Ticking {
 public:
  explicit Ticking(AnswerWatch& watch) : watch_(watch) {}
  void pass(std::chrono::milliseconds time) {
    for (; time > 0ms; time -= 200ms) watch_.tick(now_ += 200ms);
  }
  void jump(std::chrono::hours time) { watch_.tick(now_ += time); }

 private:
  AnswerWatch& watch_;
  AnswerWatch::Clock::time_point now_{};
};

TEST(AnswerWatch, IsOverWhenNoAnswerComes) {
  AnswerWatch watch(10s, {});
  Ticking time(watch);
  watch.asked();
  time.pass(9'800ms);
  EXPECT_FALSE(watch.is_over());
  time.pass(200ms);
  EXPECT_TRUE(watch.is_over());
  watch.answered();
  EXPECT_FALSE(watch.is_over());
}

TEST(AnswerWatch, AsksNowAndThen) {
  AnswerWatch watch(10s, {});
  Ticking time(watch);
  EXPECT_FALSE(watch.should_ask());
  time.pass(1s);
  EXPECT_TRUE(watch.should_ask());
  watch.asked();
  time.pass(5s);
  EXPECT_FALSE(watch.should_ask());
  watch.answered();
  time.pass(20s);
  EXPECT_TRUE(watch.should_ask());
  EXPECT_FALSE(watch.is_over());
}

TEST(AnswerWatch, TimeInWhichTheCallerSleptDoesNotCount) {
  AnswerWatch watch(10s, {});
  Ticking time(watch);
  watch.asked();
  time.pass(8s);
  time.jump(5h);  // Suspended; the worker had no time either.
  EXPECT_FALSE(watch.is_over());
  time.pass(1s);
  EXPECT_TRUE(watch.is_over());
}

}  // namespace
}  // namespace stest
