#include "worker/watch/file_reads.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <filesystem>
#include <fstream>
#include <thread>

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
    file_reads::start({(folder_ / "exempt").string()}, nullptr);
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

/// A process whose callers want to know of each path only what kind of thing it is.
class TypeQuestionsTest : public FileReadsTest {
 protected:
  TypeQuestionsTest() {
    if (file_reads::is_supported()) file_reads::start({}, [] { return asks_; });
    asks_ = true;
  }
  void ask(const std::string& name) const {
    struct stat info {};
    (void)::stat(path(name).c_str(), &info);
  }

  static inline bool asks_ = true;
};

TEST_F(TypeQuestionsTest, AnEditChangesNoAnswer) {
  ask("old.txt");
  write("old.txt", "two");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
}

TEST_F(TypeQuestionsTest, WhatIsRemovedOrAppearsDoes) {
  ask("old.txt");
  fs::remove(path("old.txt"));
  EXPECT_TRUE(is_changed("old.txt"));
  ask("new.txt");
  write("old.txt", "one");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  write("new.txt", "one");
  EXPECT_TRUE(is_changed("new.txt"));
}

TEST_F(TypeQuestionsTest, WhoReadsItLaterKnowsWhatWasThereThen) {
  ask("old.txt");
  write("old.txt", "two");
  std::this_thread::sleep_for(50ms);
  read("old.txt");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  write("old.txt", "three");
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(TypeQuestionsTest, AnotherCallerMayWantToKnowMore) {
  asks_ = false;
  ask("old.txt");
  write("old.txt", "two");
  EXPECT_TRUE(is_changed("old.txt"));
}

TEST_F(FileReadsTest, WhatPytestRemembersCountsWhereItDecides) {
  ASSERT_EQ(std::system(("mkdir -p '" + path("cache/v/cache").string() + "'").c_str()), 0);
  write("cache/v/cache/lastfailed", "{}");
  std::this_thread::sleep_for(50ms);
  read("cache/v/cache/lastfailed");
  write("cache/v/cache/lastfailed", "{1}");
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  file_reads::count_pytest_cache();
  EXPECT_TRUE(is_changed("cache/v/cache/lastfailed"));
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
  constexpr std::int64_t tick_ns = 10'000'000;
  for (int attempt = 0;; ++attempt) {
    const auto name = "young" + std::to_string(attempt);
    write(name, "");
    read(name);
    struct stat info {};
    ASSERT_EQ(::stat(path(name).c_str(), &info), 0);
    const std::int64_t written_ns = info.st_ctim.tv_sec * 1'000'000'000LL + info.st_ctim.tv_nsec;
    if (file_reads::now_ns() - written_ns >= tick_ns) continue;  // The machine is busy, or its clock is late.
    EXPECT_TRUE(is_changed(name));
    return;
  }
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

/// Every function of glibc that tells something of a file by its name, as older and fortified programs call
/// it.
class FunctionThatLooks
    : public FileReadsTest,
      public ::testing::WithParamInterface<std::pair<const char*, void (*)(const char*)>> {};

/// One that no header names any more.
template <class Function, class... Arguments>
void call_by_name(const char* name, Arguments... arguments) {
  auto* const function = reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
  ASSERT_NE(function, nullptr) << name;
  function(arguments...);
}

struct stat file_info;
struct stat64 info64;
char path_buffer[PATH_MAX];
const int here = AT_FDCWD;

const std::pair<const char*, void (*)(const char*)> functions_that_look[] = {
    {"open", [](const char* path) { ::close(::open(path, O_RDONLY | O_CLOEXEC)); }},
    {"open64", [](const char* path) { ::close(::open64(path, O_RDONLY | O_CLOEXEC)); }},
    {"openat", [](const char* path) { ::close(::openat(here, path, O_RDONLY | O_CLOEXEC)); }},
    {"openat64", [](const char* path) { ::close(::openat64(here, path, O_RDONLY | O_CLOEXEC)); }},
    {"__open_2", [](const char* path) { call_by_name<int(const char*, int)>("__open_2", path, O_PATH); }},
    {"__open64_2", [](const char* path) { call_by_name<int(const char*, int)>("__open64_2", path, O_PATH); }},
    {"__openat_2",
     [](const char* path) { call_by_name<int(int, const char*, int)>("__openat_2", here, path, O_PATH); }},
    {"__openat64_2",
     [](const char* path) { call_by_name<int(int, const char*, int)>("__openat64_2", here, path, O_PATH); }},
    {"fopen", [](const char* path) { std::fclose(::fopen(path, "re")); }},
    {"fopen64", [](const char* path) { std::fclose(::fopen64(path, "re")); }},
    {"freopen", [](const char* path) { std::fclose(::freopen(path, "re", ::fopen("/dev/null", "re"))); }},
    {"freopen64", [](const char* path) { std::fclose(::freopen64(path, "re", ::fopen("/dev/null", "re"))); }},
    {"stat", [](const char* path) { ::stat(path, &file_info); }},
    {"stat64", [](const char* path) { ::stat64(path, &info64); }},
    {"lstat", [](const char* path) { ::lstat(path, &file_info); }},
    {"lstat64", [](const char* path) { ::lstat64(path, &info64); }},
    {"fstatat", [](const char* path) { ::fstatat(here, path, &file_info, 0); }},
    {"fstatat64", [](const char* path) { ::fstatat64(here, path, &info64, 0); }},
    {"__xstat",
     [](const char* path) {
       call_by_name<int(int, const char*, struct stat*)>("__xstat", 1, path, &file_info);
     }},
    {"__xstat64",
     [](const char* path) {
       call_by_name<int(int, const char*, struct stat64*)>("__xstat64", 1, path, &info64);
     }},
    {"__lxstat",
     [](const char* path) {
       call_by_name<int(int, const char*, struct stat*)>("__lxstat", 1, path, &file_info);
     }},
    {"__lxstat64",
     [](const char* path) {
       call_by_name<int(int, const char*, struct stat64*)>("__lxstat64", 1, path, &info64);
     }},
    {"__fxstatat",
     [](const char* path) {
       call_by_name<int(int, int, const char*, struct stat*, int)>("__fxstatat", 1, here, path, &file_info,
                                                                   0);
     }},
    {"__fxstatat64",
     [](const char* path) {
       call_by_name<int(int, int, const char*, struct stat64*, int)>("__fxstatat64", 1, here, path, &info64,
                                                                     0);
     }},
    {"statx",
     [](const char* path) {
       struct statx more {};
       ::statx(here, path, 0, STATX_SIZE, &more);
     }},
    {"access", [](const char* path) { ::access(path, F_OK); }},
    {"eaccess", [](const char* path) { ::eaccess(path, F_OK); }},
    {"euidaccess", [](const char* path) { ::euidaccess(path, F_OK); }},
    {"faccessat", [](const char* path) { ::faccessat(here, path, F_OK, 0); }},
    {"readlink", [](const char* path) { (void)!::readlink(path, path_buffer, sizeof path_buffer); }},
    {"readlinkat",
     [](const char* path) { (void)!::readlinkat(here, path, path_buffer, sizeof path_buffer); }},
    {"realpath", [](const char* path) { (void)!::realpath(path, path_buffer); }},
    {"canonicalize_file_name", [](const char* path) { std::free(::canonicalize_file_name(path)); }},
    {"getxattr", [](const char* path) { ::getxattr(path, "user.x", path_buffer, sizeof path_buffer); }},
    {"lgetxattr", [](const char* path) { ::lgetxattr(path, "user.x", path_buffer, sizeof path_buffer); }},
    {"listxattr", [](const char* path) { ::listxattr(path, path_buffer, sizeof path_buffer); }},
    {"llistxattr", [](const char* path) { ::llistxattr(path, path_buffer, sizeof path_buffer); }},
    {"glob",
     [](const char* path) {
       glob_t found{};
       ::glob(path, 0, nullptr, &found);
       ::globfree(&found);
     }},
    {"nftw",
     [](const char* path) {
       ::nftw(
           path, [](auto...) { return 0; }, 4, 0);
     }},
    {"ftw",
     [](const char* path) {
       ::ftw(
           path, [](auto...) { return 0; }, 4);
     }},
};

TEST_P(FunctionThatLooks, IsSeen) {
  const auto file = path("old.txt").string();
  GetParam().second(file.c_str());
  file_reads::stop();
  write("old.txt", "two");
  EXPECT_TRUE(is_changed("old.txt"));
}

INSTANTIATE_TEST_SUITE_P(Each, FunctionThatLooks, ::testing::ValuesIn(functions_that_look),
                         [](const auto& of) {
                           std::string name = of.param.first;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_F(FileReadsTest, ALinkIsWhereItLeads) {
  fs::create_symlink("nowhere", path("link"));
  std::this_thread::sleep_for(50ms);
  EXPECT_GT(::readlink(path("link").c_str(), path_buffer, sizeof path_buffer), 0);
  EXPECT_EQ(file_reads::changed(), std::nullopt);
  file_reads::stop();
  fs::remove(path("link"));
  fs::create_symlink("elsewhere", path("link"));
  EXPECT_TRUE(is_changed("link"));
}

TEST_F(FileReadsTest, EachLinkOnTheWayCounts) {
  fs::create_directory(path("folder"));
  fs::create_symlink("folder", path("link"));
  (void)!::realpath((path("link") / "file").c_str(), path_buffer);
  file_reads::stop();
  fs::remove(path("link"));
  fs::create_symlink("exempt", path("link"));
  EXPECT_TRUE(is_changed("link"));
}

TEST_F(FileReadsTest, AListByScandirIsSeen) {
  for (const auto function : {"scandir", "scandir64"}) {
    dirent** names = nullptr;
    auto* const list =
        reinterpret_cast<int (*)(const char*, dirent***, void*, void*)>(::dlsym(RTLD_DEFAULT, function));
    ASSERT_NE(list, nullptr);
    const int count = list(path("").c_str(), &names, nullptr, nullptr);
    for (int i = 0; i < count; ++i) std::free(names[i]);
    std::free(names);
    file_reads::stop();
    write(function, "");
    EXPECT_NE(file_reads::changed(), std::nullopt);
    file_reads::start({}, nullptr);
  }
}

}  // namespace
}  // namespace stest
