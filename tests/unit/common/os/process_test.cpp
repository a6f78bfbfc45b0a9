#include "common/os/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace stest {
namespace {

/// A child that runs `body`, says so, and then waits for its end: the parent's, or the test's.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) {
    Result<Pipe> ready = make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      body();
      [[maybe_unused]] const Status told = write_all(ready->write.get(), "r");
      while (true) ::pause();
    }
    EXPECT_EQ(read_some(ready->read.get(), 1)->data, "r");
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
  }
  int pid() const { return pid_; }

 private:
  int pid_ = -1;
};

/// Waits until `pid` is a zombie, without reaping it.
void wait_for_zombie(int pid) {
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
}

TEST(Identify, ThisProcess) {
  const auto identity = identify(::getpid());
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->pid, ::getpid());
  EXPECT_GT(identity->start_time, 0u);
  EXPECT_TRUE(is_alive(*identity));
}

TEST(Identify, AnotherStartTimeIsAnotherProcess) {
  ProcessIdentity identity = identify(::getpid()).value();
  ++identity.start_time;
  EXPECT_FALSE(is_alive(identity));
}

TEST(Identify, NameWithBlanksAndParentheses) {
  const Child child([] { ::prctl(PR_SET_NAME, "a) R 1 (b"); });
  EXPECT_TRUE(identify(child.pid()));
  const std::vector<int> found = descendants(::getpid());
  EXPECT_NE(std::find(found.begin(), found.end(), child.pid()), found.end());
}

TEST(Identify, ZombieIsNotAlive) {
  const Child child([] {});
  const ProcessIdentity identity = identify(child.pid()).value();
  ::kill(child.pid(), SIGKILL);
  wait_for_zombie(child.pid());
  EXPECT_FALSE(is_alive(identity));
  EXPECT_FALSE(identify(child.pid()));
  EXPECT_FALSE(resident_memory(child.pid()));
  const std::vector<int> found = descendants(::getpid());
  EXPECT_EQ(std::find(found.begin(), found.end(), child.pid()), found.end());
}

TEST(Identify, NoSuchProcess) {
  EXPECT_FALSE(identify(-1));
  EXPECT_FALSE(identify(0));
  EXPECT_FALSE(identify(1 << 30));
}

TEST(Descendants, ChildrenBeforeGrandchildren) {
  Result<Pipe> pipe = make_pipe();
  const Child child([&] {
    if (::fork() != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Before its parent can be killed: else it stays, and ctest waits.
    [[maybe_unused]] const Status told = write_all(pipe->write.get(), std::to_string(::getpid()));
    while (true) ::pause();
  });
  const int grandchild = std::atoi(read_some(pipe->read.get(), 20)->data.c_str());
  EXPECT_EQ(descendants(::getpid()), (std::vector<int>{child.pid(), grandchild}));
  EXPECT_EQ(descendants(child.pid()), (std::vector<int>{grandchild}));
  EXPECT_TRUE(descendants(grandchild).empty());
}

std::optional<ProcessView> view_of(int pid) {
  for (const auto& process : living_processes()) {
    if (process.identity.pid == pid) return process;
  }
  return std::nullopt;
}

TEST(LivingProcesses, KnowParentGroupAndSession) {
  const Child member([] { ::setpgid(0, 0); });
  const Child leader([] { ::setsid(); });
  const auto grouped = view_of(member.pid());
  ASSERT_TRUE(grouped);
  EXPECT_EQ(grouped->parent, ::getpid());
  EXPECT_EQ(grouped->group, member.pid());
  EXPECT_EQ(grouped->session, ::getsid(0));
  EXPECT_EQ(view_of(leader.pid())->session, leader.pid());
  ::kill(member.pid(), SIGKILL);
  wait_for_zombie(member.pid());
  EXPECT_FALSE(view_of(member.pid()));
}

TEST(ChildrenOf, ThoseThatHaveEndedToo) {
  const Child one([] {});
  const Child other([] {});
  ::kill(other.pid(), SIGKILL);
  wait_for_zombie(other.pid());
  auto children = children_of(::getpid());
  std::sort(children.begin(), children.end());
  EXPECT_EQ(children, (std::vector<int>{std::min(one.pid(), other.pid()), std::max(one.pid(), other.pid())}));
  EXPECT_TRUE(children_of(one.pid()).empty());
  EXPECT_TRUE(children_of(1 << 30).empty());
}

TEST(CommandLine, OfAProgramAndOfNone) {
  EXPECT_NE(command_line(::getpid()).find("stest_unit_tests"), std::string::npos);
  const Child zombie([] {});
  ::kill(zombie.pid(), SIGKILL);
  wait_for_zombie(zombie.pid());
  EXPECT_EQ(command_line(zombie.pid()).substr(0, 12), "[stest_unit_");
}

TEST(ResidentMemory, OfThisProcess) {
  const auto memory = resident_memory(::getpid());
  ASSERT_TRUE(memory);
  EXPECT_GT(*memory, 1u << 20);
  EXPECT_FALSE(resident_memory(1 << 30));
  const auto proportional = proportional_memory(::getpid());
  ASSERT_TRUE(proportional);
  EXPECT_GT(*proportional, 100u << 10);
  EXPECT_LE(*proportional, *memory + (10u << 20));
  EXPECT_FALSE(proportional_memory(1 << 30));
}

TEST(SignalName, KnownAndUnknown) {
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(signal_name(SIGKILL), "SIGKILL");
  EXPECT_EQ(signal_name(77), "signal 77");
}

TEST(ExecutableFolder, HasThisProgram) {
  EXPECT_TRUE(std::filesystem::exists(executable_folder() / "stest_unit_tests"));
}

TEST(CurrentEnvironment, HasWhatWasSet) {
  ::setenv("STEST_UNIT_VARIABLE", "a=b", 1);
  EXPECT_EQ(current_environment().at("STEST_UNIT_VARIABLE"), "a=b");
  ::unsetenv("STEST_UNIT_VARIABLE");
  EXPECT_EQ(current_environment().count("STEST_UNIT_VARIABLE"), 0u);
}

}  // namespace
}  // namespace stest
