#include "daemon/children.hpp"

#include <csignal>
#include <thread>

#include "unit/daemon/harness.hpp"
#include "unit/shell.hpp"

namespace stest {
namespace {

TEST(Children, TellsHowAProcessEnded) {
  Children children;
  EXPECT_EQ(children.wait(children.spawn(shell("exit 7")).value()).code, 7);
  EXPECT_EQ(children.wait(children.spawn(shell("kill -9 $$")).value()).signal, SIGKILL);
}

TEST(Children, LeavesItsOwnToWait) {
  Children children;
  const int pid = children.spawn(shell("exit 3")).value();
  await([&] { return !identify(pid); }, "the end of the process");
  children.reap_orphans();
  EXPECT_EQ(children.wait(pid).code, 3);
}

TEST(Children, SignalsOnlyWhatWasNotCollected) {
  Children children;
  const int pid = children.spawn(shell("sleep 60")).value();
  children.signal(pid, SIGTERM);
  EXPECT_EQ(children.wait(pid).signal, SIGTERM);
  children.signal(pid, SIGTERM);  // Nobody is hit.
}

TEST(Children, KillsOrphansOfOrphans) {
  ASSERT_TRUE(Children::adopt_orphans());
  Children children;
  TemporaryFolder folder;
  const auto file = folder.path() / "pid";
  const int pid =
      children.spawn(shell("(setsid sh -c 'echo $$ > " + file.string() + "; exec sleep 60' &)")).value();
  EXPECT_EQ(children.wait(pid).code, 0);
  await([&] { return read_text(file).ends_with("\n"); }, "the grandchild");
  const int orphan = std::stoi(read_text(file));
  EXPECT_TRUE(identify(orphan));
  children.kill_all();
  EXPECT_FALSE(identify(orphan));
  EXPECT_TRUE(descendants(getpid()).empty());
}

TEST(Children, KillsOrphansOnly) {
  ASSERT_TRUE(Children::adopt_orphans());
  Children children;
  const int left = children.spawn(shell("sleep 60 & wait")).value();
  const int other = children.spawn(shell("sleep 60 & wait")).value();
  const int ended = children.spawn(shell("sleep 60 & sleep 60 & exit 0")).value();
  await([&] { return descendants(left).size() == 1 && descendants(other).size() == 1; }, "the children");
  const auto identity = identify(left).value();
  EXPECT_TRUE(children.add_left({identity, "sleep 60", 3}));
  EXPECT_FALSE(children.add_left({identity, "sleep 60", 4}));
  children.wait(ended);
  EXPECT_EQ(descendants(getpid()).size(), 6u);
  children.kill_orphans();
  EXPECT_EQ(descendants(getpid()).size(), 4u);
  ASSERT_EQ(children.left().size(), 1u);
  EXPECT_EQ(children.left()[0].run, 3u);
  EXPECT_EQ(descendants(left).size(), 1u);
  EXPECT_EQ(descendants(other).size(), 1u);
  std::thread first([&] { EXPECT_EQ(children.wait(left).signal, SIGKILL); });
  std::thread second([&] { EXPECT_EQ(children.wait(other).signal, SIGKILL); });
  children.kill_all();
  first.join();
  second.join();
  EXPECT_TRUE(children.left().empty());
}

}  // namespace
}  // namespace stest
