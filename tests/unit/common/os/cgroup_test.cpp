#include "common/os/cgroup.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

/// /proc and the cgroup file systems of recorded machines, in a folder.
class CgroupTest : public testing::Test {
 protected:
  /// A mount of `type` at `point` that shows what is below `root`.
  void mount(const std::string& type, const std::string& point, const std::string& root,
             const std::string& options) {
    mounts_ += "36 35 0:30 " + root + " " + (folder_.path() / point).string() + " rw,nosuid shared:9 - " +
               type + " " + type + " " + options + "\n";
    folder_.write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" + mounts_);
  }
  void belongs_to(const std::string& lines) { folder_.write("proc/7/cgroup", lines); }
  void write(const std::string& name, const std::string& text) { folder_.write(name, text); }
  std::optional<Cgroup> find() { return Cgroup::of_memory(7, folder_.path() / "proc"); }
  std::optional<double> processors() {
    return Cgroup::of_processors(7, folder_.path() / "proc")->processors();
  }

  TemporaryFolder folder_;

 private:
  std::string mounts_;
};

TEST_F(CgroupTest, Version2) {
  mount("cgroup2", "cg", "/", "rw,nsdelegate");
  belongs_to("0::/user.slice/session-1.scope\n");
  write("cg/user.slice/session-1.scope/memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n");
  write("cg/user.slice/session-1.scope/memory.max", "max\n");
  write("cg/user.slice/memory.max", "314572800\n");
  const auto cgroup = find();
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(cgroup->folder(), folder_.path() / "cg/user.slice/session-1.scope");
  EXPECT_EQ(cgroup->oom_kills(), 2u);
  EXPECT_EQ(cgroup->limit(), 314572800u);
}

TEST_F(CgroupTest, KillsInACgroupBelowAreNotItsOwn) {
  mount("cgroup2", "cg", "/", "rw");
  belongs_to("0::/a\n");
  write("cg/a/memory.events", "oom_kill 5\n");
  write("cg/a/memory.events.local", "max 1\noom_kill 1\n");
  EXPECT_EQ(find()->oom_kills(), 1u);
}

TEST_F(CgroupTest, InAContainerItsRootIsMounted) {
  mount("cgroup2", "cg", "/docker/0123", "rw");
  belongs_to("0::/docker/0123\n");
  write("cg/memory.max", "1000\n");
  write("cg/memory.events", "oom_kill 0\n");
  const auto cgroup = find();
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(cgroup->folder(), folder_.path() / "cg");
  EXPECT_EQ(cgroup->limit(), 1000u);
  EXPECT_EQ(cgroup->oom_kills(), 0u);
}

TEST_F(CgroupTest, Version1GoesFirstWhereItHasTheController) {
  mount("cgroup", "v1/cpu", "/", "rw,cpu,cpuacct");
  mount("cgroup", "v1/memory", "/", "rw,memory");
  mount("cgroup2", "unified", "/", "rw");
  belongs_to("9:memory:/job\n1:cpu,cpuacct:/\n0::/\n");
  write("v1/memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  write("v1/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  write("v1/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const auto cgroup = find();
  ASSERT_TRUE(cgroup);
  EXPECT_EQ(cgroup->oom_kills(), 4u);
  EXPECT_EQ(cgroup->limit(), std::nullopt);
  write("v1/memory/job/memory.limit_in_bytes", "4096\n");
  EXPECT_EQ(cgroup->limit(), 4096u);
}

TEST_F(CgroupTest, RootOfVersion2CountsNothing) {
  mount("cgroup2", "cg", "/", "rw");
  belongs_to("0::/\n");
  write("cg/cgroup.procs", "1\n");
  EXPECT_EQ(find()->oom_kills(), std::nullopt);
  EXPECT_EQ(find()->limit(), std::nullopt);
}

TEST_F(CgroupTest, TheLowestShareOfProcessorsCounts) {
  mount("cgroup2", "cg", "/", "rw");
  belongs_to("0::/a/b\n");
  write("cg/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(processors(), std::nullopt);
  write("cg/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(processors(), 1.5);
  write("cg/a/b/cpu.max", "5000 10000\n");
  EXPECT_EQ(processors(), 0.5);
}

TEST_F(CgroupTest, ShareOfProcessorsInVersion1) {
  mount("cgroup", "v1/cpu", "/", "rw,cpu,cpuacct");
  belongs_to("1:cpu,cpuacct:/job\n0::/\n");
  write("v1/cpu/job/cpu.cfs_quota_us", "-1\n");
  write("v1/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(processors(), std::nullopt);
  write("v1/cpu/job/cpu.cfs_quota_us", "25000\n");
  EXPECT_EQ(processors(), 0.25);
}

TEST_F(CgroupTest, NothingWhereItCannotBeSeen) {
  EXPECT_FALSE(find());
  belongs_to("0::/elsewhere\n");
  EXPECT_FALSE(find());  // Not mounted.
  mount("cgroup2", "cg", "/docker/0123", "rw");
  EXPECT_FALSE(find());  // Not below what is mounted.
  belongs_to("rubbish\n");
  EXPECT_FALSE(find());
}

}  // namespace
}  // namespace stest
