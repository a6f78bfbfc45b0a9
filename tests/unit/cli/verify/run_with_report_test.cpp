#include "cli/verify/run_with_report.hpp"

#include <gtest/gtest.h>

#include "common/os/read_file.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

TEST(RunWithReportTest, TheCacheIsAsItWasFound) {
  const TemporaryFolder project;
  const auto scratch = ScratchFolder::create();
  ASSERT_TRUE(scratch);
  restore_cache(*scratch);  // Nothing has been kept.
  project.write("v/new", "");
  fs::create_directories(scratch->path() / "cache/v/cache");
  fs::create_directory_symlink(project.path() / "v", scratch->path() / "cache/place");
  fs::copy_file(project.path() / "v/new", scratch->path() / "cache/v/cache/lastfailed");
  restore_cache(*scratch);
  EXPECT_FALSE(fs::exists(project.path() / "v/new"));
  EXPECT_TRUE(fs::exists(project.path() / "v/cache/lastfailed"));
  fs::remove_all(scratch->path() / "cache/v");
  restore_cache(*scratch);
  EXPECT_FALSE(fs::exists(project.path() / "v"));
}

}  // namespace
}  // namespace stest
