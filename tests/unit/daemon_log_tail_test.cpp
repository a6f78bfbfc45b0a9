#include <gtest/gtest.h>

#include "daemon/log_tail.hpp"
#include "temporary_folder.hpp"

namespace stest {
namespace {

TEST(LogTail, ShowsWhatCameSince) {
  TemporaryFolder folder;
  const auto log = folder.write("log", "old\n");
  const auto offset = log_size(log);
  EXPECT_EQ(log_tail(log, offset), "");
  folder.write("log", "old\nnew\nlast\n");
  EXPECT_EQ(log_tail(log, offset), "new\nlast");
}

TEST(LogTail, CutsAtALine) {
  TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(i) + "\n";
  const auto tail = log_tail(folder.write("log", text), 0);
  EXPECT_LT(tail.size(), 2001u);
  EXPECT_TRUE(tail.starts_with("line "));
  EXPECT_TRUE(tail.ends_with("\nline 999"));
}

TEST(LogTail, ReadsARotatedLogFromItsStart) {
  TemporaryFolder folder;
  EXPECT_EQ(log_tail(folder.write("log", "new\n"), 1000), "new");
}

TEST(LogTail, IsEmptyWithoutAFile) {
  EXPECT_EQ(log_size("/nowhere/log"), 0u);
  EXPECT_EQ(log_tail("/nowhere/log", 5), "");
}

}  // namespace
}  // namespace stest
