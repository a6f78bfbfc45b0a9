#include "cli/run/cancel_run.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

nlohmann::json run(int id, const char* state) {
  return {{"id", id}, {"state", state}, {"args", {"-k", "a b"}}};
}

Result<nlohmann::json> choose(nlohmann::json runs, std::optional<std::uint64_t> id = {}) {
  return choose_run({{"runs", std::move(runs)}}, id);
}

TEST(CancelRunTest, TheOneThatRunsIsMeant) {
  EXPECT_EQ(choose({run(3, "running")}).value()["id"], 3);
  EXPECT_EQ(choose({run(3, "running"), run(4, "queued"), run(5, "queued")}).value()["id"], 3);
  EXPECT_EQ(choose({run(4, "queued")}).value()["id"], 4);
}

TEST(CancelRunTest, AnIdNamesAnyOfThem) {
  EXPECT_EQ(choose({run(3, "running"), run(4, "queued")}, 4).value()["id"], 4);
  const auto unknown = choose({run(3, "running")}, 7);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::not_running);
  EXPECT_EQ(unknown.error().message, "there is no run 7: it is over, or never existed");
}

TEST(CancelRunTest, SeveralAreListed) {
  for (const char* state : {"running", "queued"}) {
    const auto several = choose({run(3, state), run(4, state)});
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().code, ErrorCode::usage);
    EXPECT_EQ(several.error().hint,
              "say which one:\n  stest cancel 3   stest -k a b\n  stest cancel 4   stest -k a b");
  }
}

TEST(CancelRunTest, NoneIsAnErrorOfItsOwn) {
  for (const auto& none : {choose(nlohmann::json::array()), choose_run(nlohmann::json::object(), {})}) {
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::not_running);
    EXPECT_EQ(none.error().message, "there is no run to cancel");
  }
}

}  // namespace
}  // namespace stest
