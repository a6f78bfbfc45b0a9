#include "daemon/run/last_failed.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using nlohmann::json;

class LastFailedTest : public testing::Test {
 protected:
  json read() const { return json::parse(read_text(file)); }

  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / ".cache" / "v" / "cache" / "lastfailed";
};

TEST_F(LastFailedTest, AddsWhatFailedTakesOffWhatPassedAndKeepsTheRest) {
  folder.write(".cache/v/cache/lastfailed", R"({"passes": true, "not run": true})");
  RunTally tally;
  tally.take({"passes", "call", "passed", 0});
  tally.take({"fails", "call", "failed", 0});
  ASSERT_TRUE(complete_last_failed(file, tally, "dies", 022));
  EXPECT_EQ(read(), (json{{"not run", true}, {"fails", true}, {"dies", true}}));
}

TEST_F(LastFailedTest, MakesTheCacheWhereThereIsNone) {
  ASSERT_TRUE(complete_last_failed(file, {}, "dies", 027));
  EXPECT_EQ(read(), (json{{"dies", true}}));
  EXPECT_EQ(read_text(folder.path() / ".cache" / ".gitignore"), "*\n");
  struct stat found {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640u);
}

TEST_F(LastFailedTest, WritesNothingWhereNothingIsNew) {
  ASSERT_TRUE(complete_last_failed(file, {}, "", 022));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / ".cache"));
}

TEST_F(LastFailedTest, AnUnreadableFileCountsAsEmpty) {
  folder.write(".cache/v/cache/lastfailed", "[");
  ASSERT_TRUE(complete_last_failed(file, {}, "dies", 022));
  EXPECT_EQ(read(), (json{{"dies", true}}));
}

}  // namespace
}  // namespace stest
