#include "client/readiness.hpp"

#include <gtest/gtest.h>

#include "common/os/fd.hpp"

namespace stest {
namespace {

using Clock = std::chrono::steady_clock;

Readiness read_all_of(std::string_view text) {
  auto pipe = make_pipe();
  EXPECT_TRUE(write_all(pipe->write.get(), text));
  pipe->write.reset();
  return ReadinessReader(pipe->read.get()).wait_until(Clock::now() + std::chrono::seconds(5));
}

TEST(ReadinessTest, Ready) { EXPECT_EQ(read_all_of("ready\n").kind, Readiness::Kind::ready); }

TEST(ReadinessTest, AnErrorIsHandedOver) {
  const auto readiness =
      read_all_of("error\n{\"error\":\"config\",\"message\":\"bad\",\"hint\":\"mend it\"}");
  ASSERT_EQ(readiness.kind, Readiness::Kind::failed);
  EXPECT_EQ(readiness.error.code, ErrorCode::config);
  EXPECT_EQ(readiness.error.message, "bad");
}

TEST(ReadinessTest, ACutErrorIsNoError) {
  EXPECT_EQ(read_all_of("error\n{\"err").kind, Readiness::Kind::closed);
}

TEST(ReadinessTest, ClosedWithoutAWord) {
  EXPECT_EQ(read_all_of("").kind, Readiness::Kind::closed);
  EXPECT_EQ(read_all_of("rea").kind, Readiness::Kind::closed);
}

TEST(ReadinessTest, TheDeadlineMayComeFirstAndTheWordLater) {
  auto pipe = make_pipe();
  ReadinessReader reader(pipe->read.get());
  ASSERT_TRUE(write_all(pipe->write.get(), "rea"));
  EXPECT_EQ(reader.wait_until(Clock::now() + std::chrono::milliseconds(20)).kind, Readiness::Kind::pending);
  ASSERT_TRUE(write_all(pipe->write.get(), "dy\n"));
  EXPECT_EQ(reader.wait_until(Clock::now() + std::chrono::seconds(5)).kind, Readiness::Kind::ready);
}

}  // namespace
}  // namespace stest
