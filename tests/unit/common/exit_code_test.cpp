#include "stest/exit_code.hpp"

#include <gtest/gtest.h>

#include <set>

namespace stest {
namespace {

constexpr ErrorCode kAll[] = {
    ErrorCode::internal,    ErrorCode::usage,        ErrorCode::config,
    ErrorCode::not_running, ErrorCode::not_found,    ErrorCode::daemon_unavailable,
    ErrorCode::bad_request, ErrorCode::cancelled,    ErrorCode::worker_failed,
    ErrorCode::forbidden,   ErrorCode::unauthorized,
};

TEST(ErrorCodeNames, RoundTripAndDiffer) {
  std::set<std::string_view> names;
  for (const ErrorCode code : kAll) {
    EXPECT_EQ(error_code(name(code)), code);
    names.insert(name(code));
  }
  EXPECT_EQ(names.size(), std::size(kAll));
}

TEST(ErrorCodeNames, UnknownNameIsNothing) {
  EXPECT_EQ(error_code("nonsense"), std::nullopt);
  EXPECT_EQ(error_code(""), std::nullopt);
}

TEST(ExitCodes, EveryErrorGivesOneOfStestsOwn) {
  for (const ErrorCode code : kAll) EXPECT_GE(static_cast<int>(exit_code(code)), 100) << name(code);
}

TEST(ExitCodes, MeanWhatTheHeaderSays) {
  EXPECT_EQ(exit_code(ErrorCode::internal), ExitCode::internal_error);
  EXPECT_EQ(exit_code(ErrorCode::usage), ExitCode::usage_error);
  EXPECT_EQ(exit_code(ErrorCode::config), ExitCode::config_error);
  EXPECT_EQ(exit_code(ErrorCode::daemon_unavailable), ExitCode::daemon_unavailable);
  EXPECT_EQ(exit_code(ErrorCode::worker_failed), ExitCode::worker_failed);
  EXPECT_EQ(exit_code(ErrorCode::not_running), ExitCode::not_running);
  EXPECT_EQ(exit_code(ErrorCode::cancelled), ExitCode::cancelled);
}

}  // namespace
}  // namespace stest
