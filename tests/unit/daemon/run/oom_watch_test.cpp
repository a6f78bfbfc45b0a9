#include "daemon/run/oom_watch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

/// A process in a cgroup of version 2 whose files the test writes.
class OomWatchTest : public testing::Test {
 protected:
  OomWatchTest() {
    folder_.write("proc/self/mountinfo",
                  "36 35 0:30 / " + folder_.path().string() + "/cg rw - cgroup2 c rw\n");
    folder_.write("proc/7/cgroup", "0::/job\n");
    count(3);
  }
  void count(int kills) {
    folder_.write("cg/job/memory.events.local", "oom 9\noom_kill " + std::to_string(kills) + "\n");
  }
  OomWatch watch(Fd log = {}) { return {Cgroup::of_memory(7, folder_.path() / "proc"), std::move(log)}; }

  TemporaryFolder folder_;
};

TEST_F(OomWatchTest, SaysNothingWhereNothingWasCounted) { EXPECT_EQ(watch().evidence(7), std::nullopt); }

TEST_F(OomWatchTest, ARiseOfTheCountIsEvidence) {
  folder_.write("cg/job/memory.max", "314572800\n");
  const auto watched = watch();
  count(4);
  EXPECT_EQ(watched.evidence(7), "the memory limit of " + folder_.path().string() + "/cg/job is 300 MiB");
}

TEST_F(OomWatchTest, WithoutALimitItWasTheMachine) {
  const auto watched = watch();
  count(4);
  EXPECT_EQ(watched.evidence(7), "the machine ran out of memory");
}

TEST_F(OomWatchTest, KillsBeforeItBeganDoNotCount) {
  count(4);
  EXPECT_EQ(watch().evidence(7), std::nullopt);
}

TEST_F(OomWatchTest, TheKernelsLogIsEvidenceIfItNamesTheProcess) {
  auto pipe = make_pipe().value();
  ASSERT_TRUE(set_nonblocking(pipe.read.get(), true));
  const OomWatch watched(std::nullopt, std::move(pipe.read));
  EXPECT_EQ(watched.evidence(7), std::nullopt);
  ASSERT_TRUE(write_all(pipe.write.get(),
                        "6,1200,99,-;Memory cgroup out of memory: Killed process 7 (python) total-vm:1kB\n"));
  EXPECT_EQ(watched.evidence(7), "its log names the process");
}

TEST(NamesOomVictim, ByItsWholePid) {
  const auto record = "3,1,2,-;Out of memory: Killed process 1234 (python3) total-vm:9kB, anon-rss:8kB";
  EXPECT_TRUE(names_oom_victim(record, 1234));
  EXPECT_FALSE(names_oom_victim(record, 123));
  EXPECT_FALSE(names_oom_victim(record, 234));
  EXPECT_FALSE(names_oom_victim("6,1,2,-;python[1234]: segfault at 0", 1234));
}

TEST(OomWatch, OfThisMachineNeverGuesses) { EXPECT_EQ(OomWatch(getpid()).evidence(getpid()), std::nullopt); }

}  // namespace
}  // namespace stest
