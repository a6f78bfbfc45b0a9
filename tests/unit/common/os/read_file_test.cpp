#include "common/os/read_file.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

TEST(ReadFile, WholeContent) {
  const TemporaryFolder folder;
  const std::string big(200'000, '\0');
  EXPECT_EQ(read_file(folder.write("big", big)).value(), big);
  EXPECT_EQ(read_file(folder.write("empty", "")).value(), "");
}

TEST(ReadFile, MissingIsNothing) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_file(folder.path() / "missing").value(), std::nullopt);
  folder.write("file", "");
  EXPECT_EQ(read_file(folder.path() / "file" / "below").value(), std::nullopt);
}

TEST(ReadFile, FolderIsAnError) {
  const TemporaryFolder folder;
  const auto text = read_file(folder.path());
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, folder.path().string() + ": cannot read: Is a directory");
}

}  // namespace
}  // namespace stest
