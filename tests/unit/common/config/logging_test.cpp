#include "common/config/logging.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class LoggingTest : public testing::Test {
 protected:
  void TearDown() override { ASSERT_TRUE(init_logging({}, "INFO")); }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "daemon.log";
};

TEST_F(LoggingTest, WritesEachLineAtOnce) {
  ASSERT_TRUE(init_logging(file_, "INFO"));
  spdlog::info("first {}", 1);
  const std::string text = read_text(file_);
  EXPECT_NE(text.find(" info first 1\n"), std::string::npos) << text;
}

TEST_F(LoggingTest, LevelsFilter) {
  ASSERT_TRUE(init_logging(file_, "WARNING"));
  spdlog::info("quiet");
  spdlog::warn("loud");
  const std::string text = read_text(file_);
  EXPECT_EQ(text.find("quiet"), std::string::npos);
  EXPECT_NE(text.find("loud"), std::string::npos);
}

TEST_F(LoggingTest, AppendsToAnEarlierLog) {
  folder_.write("daemon.log", "before\n");
  ASSERT_TRUE(init_logging(file_, "DEBUG"));
  spdlog::debug("after");
  const std::string text = read_text(file_);
  EXPECT_EQ(text.substr(0, 7), "before\n");
  EXPECT_NE(text.find("after"), std::string::npos);
}

TEST_F(LoggingTest, SizeIsLimited) {
  ASSERT_TRUE(init_logging(file_, "INFO"));
  const std::string line(100'000, 'x');
  for (int i = 0; i < 200; ++i) spdlog::info(line);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "daemon.1.log"));
  std::uintmax_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) total += entry.file_size();
  EXPECT_LE(total, 11u << 20);
}

TEST_F(LoggingTest, ErrorsAreTold) {
  const Status level = init_logging(file_, "LOUD");
  ASSERT_FALSE(level);
  EXPECT_EQ(level.error().code, ErrorCode::config);
  EXPECT_EQ(level.error().message, "unknown log level 'LOUD'");
  EXPECT_EQ(level.error().hint, "Accepted: DEBUG, INFO, WARNING, ERROR.");
  EXPECT_FALSE(init_logging(folder_.path(), "INFO")) << "a folder is no log file";
}

}  // namespace
}  // namespace stest
