#include "daemon/required_files.hpp"

#include <gtest/gtest.h>

#include "common/os/file_lock.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class RequiredFilesTest : public testing::Test {
 protected:
  RequiredFilesTest() {
    std::filesystem::create_directory(paths.root);
    EXPECT_TRUE(ensure_directories(paths));
    EXPECT_TRUE(FileLock::try_acquire(paths.lock_file));
  }

  std::string problem() const { return files().problem().value_or("none"); }
  const RequiredFiles& files() const {
    if (!files_) files_.emplace(paths, std::vector{program, folder.path() / "never there"});
    return *files_;
  }

  TemporaryFolder folder;
  RuntimePaths paths = runtime_paths(folder.path() / "root", {});
  std::filesystem::path program = folder.write("stestd", "x");

 private:
  mutable std::optional<RequiredFiles> files_;
};

TEST_F(RequiredFilesTest, NothingIsMissingAtFirst) {
  EXPECT_EQ(problem(), "none");
  folder.write("root/.sprintest/status.json", "{}");
  std::filesystem::remove(paths.status_file);
  EXPECT_EQ(problem(), "none");
}

TEST_F(RequiredFilesTest, TheRoot) {
  ASSERT_EQ(problem(), "none");
  std::filesystem::remove_all(paths.root);
  EXPECT_EQ(problem(), paths.root.string() + " does not exist any more");
  std::filesystem::create_directory(paths.root);
  EXPECT_EQ(problem(), paths.root.string() + " has been replaced by another");
}

TEST_F(RequiredFilesTest, TheStateFolderAndTheLock) {
  ASSERT_EQ(problem(), "none");
  std::filesystem::remove(paths.lock_file);
  EXPECT_EQ(problem(), paths.lock_file.string() + " does not exist any more");
  folder.write("root/.sprintest/daemon.lock", "");
  EXPECT_EQ(problem(), paths.lock_file.string() + " has been replaced by another");
  std::filesystem::remove_all(paths.directory);
  EXPECT_EQ(problem(), paths.directory.string() + " does not exist any more");
}

TEST_F(RequiredFilesTest, AProgramMayBeReplacedAndNotDeleted) {
  ASSERT_EQ(problem(), "none");
  std::filesystem::remove(program);
  EXPECT_EQ(problem(), program.string() + " is not installed any more");
  folder.write("stestd", "another");
  EXPECT_EQ(problem(), "none");
}

}  // namespace
}  // namespace stest
