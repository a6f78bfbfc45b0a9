#include "worker/snapshot/own_descriptors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/os/fd.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

std::string rest_of(int fd) {
  char buffer[64];
  const auto size = ::read(fd, buffer, sizeof buffer);
  return {buffer, static_cast<std::size_t>(size > 0 ? size : 0)};
}

/// Whether `holds` in a fork that has got descriptors of its own, while this process waits.
template <class Holds>
bool in_fork(Holds holds) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    OwnDescriptors::separate();
    ::_exit(holds() ? 0 : 1);
  }
  int status = 1;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

class OwnDescriptorsTest : public ::testing::Test {
 protected:
  OwnDescriptorsTest() {
    EXPECT_EQ(std::system(("printf 0123456789 > '" + file_.string() + "'").c_str()), 0);
  }
  ~OwnDescriptorsTest() override { fs::remove(file_); }

  const fs::path file_ = fs::temp_directory_path() / ("stest-own-descriptors-" + std::to_string(::getpid()));
};

TEST_F(OwnDescriptorsTest, WhatIsOpenFromTheStartMayBeShared) {
  const auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_EQ(OwnDescriptors().shared(), "");
}

TEST_F(OwnDescriptorsTest, APipeOrAFileForWritingMayNot) {
  OwnDescriptors descriptors;
  const auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_NE(descriptors.shared().find("pipe:"), std::string::npos);
  descriptors.may_share(pipe->read.get());
  EXPECT_EQ(descriptors.shared(), "");
  const Fd written(::open(file_.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(descriptors.shared(), file_.string() + " is open");
}

TEST_F(OwnDescriptorsTest, MemoryThatIsMappedForSeveralMayNot) {
  const OwnDescriptors descriptors;
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_NE(descriptors.shared(), "");
  ::munmap(memory, 4096);
  EXPECT_EQ(descriptors.shared(), "");
}

TEST_F(OwnDescriptorsTest, AForkHasAPositionOfItsOwn) {
  const OwnDescriptors descriptors;
  const Fd file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  ::lseek(file.get(), 4, SEEK_SET);
  EXPECT_EQ(descriptors.shared(), "");
  EXPECT_TRUE(in_fork([&] { return rest_of(file.get()) == "456789"; }));
  EXPECT_EQ(rest_of(file.get()), "456789");
}

TEST_F(OwnDescriptorsTest, AForkHasFilesWithoutANameOfItsOwn) {
  const OwnDescriptors descriptors;
  const Fd file(::memfd_create("test", MFD_CLOEXEC));
  const Fd same(::fcntl(file.get(), F_DUPFD, 0));
  ASSERT_TRUE(write_all(file.get(), "before"));
  EXPECT_EQ(descriptors.shared(), "");
  EXPECT_TRUE(in_fork([&] {
    (void)write_all(file.get(), " and in the fork");
    const bool is_inherited = (::fcntl(same.get(), F_GETFD) & FD_CLOEXEC) == 0;
    ::lseek(same.get(), 0, SEEK_SET);
    return is_inherited && rest_of(file.get()) == "before and in the fork";
  }));
  ::lseek(file.get(), 0, SEEK_SET);
  EXPECT_EQ(rest_of(file.get()), "before");
}

}  // namespace
}  // namespace stest
