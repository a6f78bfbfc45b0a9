#include "common/os/file_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/process.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class FileLockTest : public testing::Test {
 protected:
  std::optional<FileLock> acquire() const {
    Result<std::optional<FileLock>> lock = FileLock::try_acquire(path_);
    EXPECT_TRUE(lock) << lock.error().message;
    return lock ? std::move(*lock) : std::nullopt;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "daemon.lock";
};

TEST_F(FileLockTest, OneAtATime) {
  {
    const auto first = acquire();
    ASSERT_TRUE(first);
    EXPECT_FALSE(acquire());
  }
  EXPECT_TRUE(acquire());
}

TEST_F(FileLockTest, FileIsPrivate) {
  const auto lock = acquire();
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(FileLockTest, MissingFolderIsAnError) {
  const auto lock = FileLock::try_acquire(folder_.path() / "missing" / "daemon.lock");
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().message.find("missing/daemon.lock: No such file"), std::string::npos);
}

TEST_F(FileLockTest, HolderIsWrittenAndReplaced) {
  EXPECT_EQ(lock_holder(path_), std::nullopt);
  auto lock = acquire();
  EXPECT_EQ(lock_holder(path_), std::nullopt);
  ASSERT_TRUE(lock->write_holder(123456));
  ASSERT_TRUE(lock->write_holder(77));
  EXPECT_EQ(lock_holder(path_), 77);
}

TEST_F(FileLockTest, HolderIgnoresNonsense) {
  for (const char* text : {"", "x", "12x", "-5\n", "0\n", "99999999999999999999\n"}) {
    folder_.write("daemon.lock", text);
    EXPECT_EQ(lock_holder(path_), std::nullopt) << text;
  }
}

TEST_F(FileLockTest, AdoptTakesADescriptorThatHoldsIt) {
  auto lock = acquire();
  const int copy = ::dup(lock->fd());
  lock.reset();
  Result<FileLock> adopted = FileLock::adopt(Fd(copy));
  ASSERT_TRUE(adopted);
  EXPECT_NE(::fcntl(adopted->fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(acquire());
}

TEST_F(FileLockTest, AdoptRefusesAnotherDescriptor) {
  const auto lock = acquire();
  EXPECT_FALSE(FileLock::adopt(Fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC))));
  EXPECT_FALSE(FileLock::adopt(Fd()));
}

TEST_F(FileLockTest, ChildKeepsTheLockAfterTheParentLetGo) {
  Result<Pipe> hold = make_pipe();
  ASSERT_TRUE(hold);
  auto lock = acquire();
  SpawnOptions options;
  options.executable = "/bin/cat";
  options.fds = {{0, hold->read.get()}, {9, lock->fd()}};
  const Result<int> child = spawn(options);
  ASSERT_TRUE(child) << child.error().message;

  lock.reset();
  EXPECT_FALSE(acquire()) << "the child does not hold the lock";
  hold->write.reset();  // cat ends.
  wait_for(*child);
  EXPECT_TRUE(acquire()) << "the lock outlived the child";
}

}  // namespace
}  // namespace stest
