#include "cli/verify/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

namespace stest {
namespace {

TEST(ScratchFolderTest, IsRemovedWithWhatIsInIt) {
  std::filesystem::path path;
  {
    const auto folder = ScratchFolder::create();
    ASSERT_TRUE(folder);
    path = folder->path();
    std::ofstream(path / "file") << "text";
    EXPECT_TRUE(std::filesystem::exists(path / "file"));
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace stest
