#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "file_reads.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A folder whose files are old enough to be trusted.
class FileReadsTest : public ::testing::Test {
 protected:
  FileReadsTest() {
    if (!file_reads::is_supported()) return;
    fs::create_directory(folder_);
    write("old.txt", "one");
    std::this_thread::sleep_for(50ms);
    file_reads::start({(folder_ / "exempt").string()});
  }
  ~FileReadsTest() override {
    file_reads::stop();
    fs::remove_all(folder_);
  }
  void SetUp() override {
    if (!file_reads::is_supported()) GTEST_SKIP() << "another C library";
  }

  fs::path path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const {
    // Descriptors of its own: what the test writes is nothing that the process has read.
    const auto script = "printf %s '" + text + "' > '" + path(name).string() + "'";
    ASSERT_EQ(std::system(script.c_str()), 0);
  }
  void read(const std::string& name) const { std::ifstream(path(name)).get(); }
  bool is_changed(const std::string& name) const { return file_reads::changed() == path(name).string(); }

 private:
  const fs::path folder_ = fs::temp_directory_path() / ("stest-file-reads-" + std::to_string(::getpid()));
};

TEST_F(FileReadsTest, NothingChangedWhereNothingWasDone) {
  read("old.txt");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
}

TEST_F(FileReadsTest, AnEditOfWhatWasReadIsSeen) {
  read("old.txt");
  file_reads::stop();
  write("old.txt", "two");
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, AnEditOfWhatWasNotReadIsNot) {
  write("old.txt", "two");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
}

TEST_F(FileReadsTest, TheTimeOfModificationMayBePutBack) {
  read("old.txt");
  const auto before = fs::last_write_time(path("old.txt"));
  write("old.txt", "two");
  fs::last_write_time(path("old.txt"), before);
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, AFileThatTakesTheNameIsSeen) {
  read("old.txt");
  file_reads::stop();
  fs::rename(path("old.txt"), path("older.txt"));
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, WhatWasLookedForInVainMayAppear) {
  EXPECT_NE(::access(path("new.txt").c_str(), F_OK), 0);
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  file_reads::stop();
  write("new.txt", "");
  EXPECT_TRUE(is_changed("new.txt"));
}

TEST_F(FileReadsTest, BelowAFileThereIsNothingForAsLongAsItIsOne) {
  EXPECT_NE(::access(path("old.txt/pyvenv.cfg").c_str(), F_OK), 0);
  EXPECT_EQ(file_reads::files(), std::vector<std::string>{path("old.txt").string()});
  file_reads::stop();
  fs::remove(path("old.txt"));
  fs::create_directory(path("old.txt"));
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, OneOfThousandsIsSeen) {
  for (int i = 0; i < 3000; ++i) ::access(path(std::to_string(i)).c_str(), F_OK);
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  file_reads::stop();
  write("2999", "");
  EXPECT_TRUE(is_changed("2999"));
}

TEST_F(FileReadsTest, AFileWrittenAtThatVeryTimeCannotBeTrusted) {
  write("young.txt", "");
  read("young.txt");
  EXPECT_TRUE(is_changed("young.txt"));
}

TEST_F(FileReadsTest, AListedFolderIsWhatItHolds) {
  fs::directory_iterator{path("")};
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  file_reads::stop();
  write("new.txt", "");
  EXPECT_NE(file_reads::changed(), std::nullopt);
}

TEST_F(FileReadsTest, AFolderThatWasOnlyLookedAtMayHoldWhatItLikes) {
  struct stat info {};
  EXPECT_EQ(::stat(path("").c_str(), &info), 0);
  file_reads::stop();
  write("new.txt", "");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
}

TEST_F(FileReadsTest, BytecodeAndExemptPathsDoNotCount) {
  for (const char* name : {"exempt.txt", "__pycache__/x.pyc"})
    EXPECT_NE(::access(path(name).c_str(), F_OK), 0);
  fs::directory_iterator{path("")};
  file_reads::stop();
  fs::create_directory(path("__pycache__"));
  write("__pycache__/x.pyc", "");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
}

TEST_F(FileReadsTest, RelativeNamesAreTakenFromTheirFolder) {
  const int folder = ::open(path("").c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  ASSERT_GE(folder, 0);
  EXPECT_EQ(::faccessat(folder, "old.txt", F_OK, 0), 0);
  ::close(folder);
  file_reads::stop();
  write("old.txt", "two");
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, FilesAreThoseThatAreThereAndThoseThatAreNot) {
  fs::create_directory(path("sub"));
  for (const char* name : {"sub", "sub/none", "old.txt"}) ::access(path(name).c_str(), F_OK);
  file_reads::stop();
  EXPECT_EQ(file_reads::files(),
            (std::vector<std::string>{path("old.txt").string(), path("sub/none").string()}));
}

TEST_F(FileReadsTest, KnowsWhetherAFileWasWrittenSince) {
  read("old.txt");
  const auto now_ns = file_reads::now_ns();
  EXPECT_FALSE(file_reads::written_since(now_ns));
  fs::create_directory(path(".pytest_cache"));
  write(".pytest_cache/nodeids", "[]");
  read(".pytest_cache/nodeids");
  EXPECT_FALSE(file_reads::written_since(now_ns));
  write("new.txt", "");
  ASSERT_EQ(std::system(("touch -d '2000-01-01' '" + path("new.txt").string() + "'").c_str()), 0);
  EXPECT_EQ(::access(path("new.txt").c_str(), F_OK), 0);
  EXPECT_FALSE(file_reads::written_since(now_ns));
  read("new.txt");
  EXPECT_TRUE(file_reads::written_since(now_ns));
}

TEST_F(FileReadsTest, FoldersToWatchAreThoseOfFilesAndTheListedOnes) {
  fs::create_directory(path("sub"));
  EXPECT_NE(::access(path("sub/none").c_str(), F_OK), 0);
  fs::directory_iterator{path("sub")};
  const auto folders = file_reads::folders();
  EXPECT_NE(std::find(folders.begin(), folders.end(), path("sub").string()), folders.end());
}

}  // namespace
}  // namespace stest
