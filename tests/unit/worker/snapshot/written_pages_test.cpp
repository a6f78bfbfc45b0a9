#include "worker/snapshot/written_pages.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

namespace stest {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t pages = 4000;

/// Memory that a test's process and its forks share until one writes to it.
class WrittenPagesTest : public testing::Test {
 protected:
  WrittenPagesTest()
      : memory_(static_cast<char*>(::mmap(nullptr, pages * page, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))) {
    ::madvise(memory_, pages * page, MADV_NOHUGEPAGE);
    std::memset(memory_, 1, pages * page);
  }
  ~WrittenPagesTest() override { ::munmap(memory_, pages * page); }

  /// Runs `body` in a fork; its exit code.
  static int in_fork(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(body());
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  /// How many pages the kernel has to hand out while the first half is written to.
  long faults_of_a_run() const {
    const long before = faults();
    write_half(2);
    return faults() - before;
  }
  void write_half(char value) const {
    for (std::size_t i = 0; i < pages / 2; ++i) memory_[i * page] = value;
  }
  static long faults() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  }
  static bool kernel_can_copy_ahead() {
    char* probe =
        static_cast<char*>(::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const bool can = ::madvise(probe, page, 23) == 0;
    ::munmap(probe, page);
    return can;
  }

  char* memory_;
};

TEST_F(WrittenPagesTest, AreCopiedAheadInTheNextFork) {
  if (!kernel_can_copy_ahead()) GTEST_SKIP() << "this kernel makes no copies when asked";
  const auto written = WrittenPages::create();
  const auto run = [&] {
    written->copy_ahead();
    const long faults = faults_of_a_run();
    written->record();
    return faults > 500 ? 1 : 0;
  };
  ASSERT_EQ(in_fork(run), 1) << "nothing was known";
  EXPECT_EQ(in_fork(run), 0);
  EXPECT_EQ(in_fork(run), 0) << "what was good enough is kept";
}

TEST_F(WrittenPagesTest, KeepTheirContent) {
  const auto written = WrittenPages::create();
  const auto run = [&] {
    written->copy_ahead();
    for (std::size_t i = 0; i < pages * page; ++i) {
      if (memory_[i] != 1) return 1;
    }
    write_half(2);
    written->record();
    return 0;
  };
  EXPECT_EQ(in_fork(run), 0);
  EXPECT_EQ(in_fork(run), 0);
  EXPECT_EQ(memory_[0], 1);
}

TEST_F(WrittenPagesTest, MayBeGoneByThen) {
  const auto written = WrittenPages::create();
  in_fork([&] {
    written->copy_ahead();
    write_half(2);
    written->record();
    return 0;
  });
  const auto read_only = [&] {
    ::munmap(memory_, page * 10);
    ::mprotect(memory_ + page * 10, page * 10, PROT_READ);
    written->copy_ahead();
    return memory_[page * 10] == 1 && memory_[page * 20] == 1 ? 0 : 1;
  };
  EXPECT_EQ(in_fork(read_only), 0);
}

}  // namespace
}  // namespace stest
