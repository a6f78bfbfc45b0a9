#include "client/daemon_launcher.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>
#include <vector>

#include "client/client.hpp"
#include "client/daemon_stopper.hpp"
#include "common/os/process.hpp"
#include "common/version.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using unit::read_text;
using unit::write_text;
using namespace std::chrono_literals;

/// The launcher with the fake daemon of client_fake_stestd.cpp.
class LauncherTest : public ::testing::Test {
 protected:
  ~LauncherTest() override {
    fake("");
    ::unsetenv("STEST_FAKE_PYTHON");
    std::filesystem::remove(paths_.root / "busy");
    (void)stop_daemon(paths_, {1s, 1s, 5s});
  }

  static Installation installation(const std::string& python = "python-a") {
    return {STEST_FAKE_STESTD, std::string(stest_version()), build_id(STEST_FAKE_STESTD), python, false, {}};
  }

  static void fake(const char* kind) { ::setenv("STEST_FAKE", kind, 1); }

  Result<DaemonStatus> ensure(const Installation& wanted = installation(),
                              std::chrono::milliseconds patience = 20s) {
    ::setenv("STEST_FAKE_PYTHON", wanted.python.c_str(), 1);
    return DaemonLauncher(
               paths_, wanted, [this](const auto& line) { notices_.push_back(line); }, patience)
        .ensure();
  }

  int starts() const {
    const auto text = read_text(paths_.root / "starts");
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  unit::TemporaryProject project_;
  RuntimePaths paths_ = runtime_paths(project_.root(), {});
  std::vector<std::string> notices_;
};

TEST_F(LauncherTest, DoesNotWaitForAHolderOfTheLockThatCannotBeSeen) {
  ASSERT_TRUE(ensure_directories(paths_));
  auto lock = FileLock::try_acquire(paths_.lock_file);
  ASSERT_TRUE(lock && *lock);
  ASSERT_TRUE((*lock)->write_holder(1 << 30));  // Above all pids.
  const auto none = ensure(installation(), 1h);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("cannot be seen from here"), std::string::npos) << none.error().message;
  EXPECT_EQ(starts(), 0);
}

TEST_F(LauncherTest, LeavesADaemonOfOtherSurroundingsAlone) {
  const auto first = ensure();
  ASSERT_TRUE(first);
  auto moved = *first;
  moved.surroundings["pid"] = "pid:[1]";
  moved.surroundings["net"] = "net:[1]";
  ASSERT_TRUE(write_status(paths_.status_file, moved));
  const auto none = ensure();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::daemon_unavailable);
  EXPECT_NE(none.error().message.find("another PID namespace and network namespace"), std::string::npos)
      << none.error().message;
  EXPECT_FALSE(check_visibility(paths_));
  EXPECT_EQ(read_last_status(paths_.status_file)->process, first->process);
  EXPECT_TRUE(is_alive(first->process));
  ::kill(first->process.pid, SIGKILL);
  while (!check_surroundings(paths_)) std::this_thread::sleep_for(1ms);  // Its lock goes with it.
  const auto second = ensure();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(starts(), 2);
}

TEST_F(LauncherTest, StartsADaemonAndFindsItAgain) {
  const auto first = ensure();
  ASSERT_TRUE(first) << first.error().message;
  const auto second = ensure();
  ASSERT_TRUE(second);
  EXPECT_EQ(first->process, second->process);
  EXPECT_EQ(starts(), 1);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(LauncherTest, TwentyAtOnceGetOneDaemon) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP()
      << "its allocator may not be used in a fork of a process with threads, as `try_out` does; clients "
         "have one";
#endif
  ::setenv("STEST_FAKE_PYTHON", "python-a", 1);
  std::vector<std::thread> threads;
  std::vector<int> pids(20);
  for (auto& pid : pids) {
    threads.emplace_back([&] {
      const auto daemon = DaemonLauncher(paths_, installation(), [](const auto&) {}).ensure();
      pid = daemon && DaemonClient(daemon->endpoint).status() ? daemon->process.pid : -1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(pids[0], 0);
  EXPECT_EQ(pids, std::vector<int>(20, pids[0]));
  EXPECT_EQ(starts(), 1);
}

TEST_F(LauncherTest, AKilledDaemonLeavesNothingInTheWay) {
  const auto first = ensure();
  ASSERT_TRUE(first) << first.error().message;
  ::kill(first->process.pid, SIGKILL);
  while (is_alive(first->process)) std::this_thread::yield();
  EXPECT_TRUE(std::filesystem::exists(paths_.status_file));
  EXPECT_TRUE(std::filesystem::exists(paths_.socket));
  const auto second = ensure();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(second->process, first->process);
}

TEST_F(LauncherTest, ADaemonOfAnotherPythonIsReplaced) {
  const auto first = ensure(installation("python-a"));
  ASSERT_TRUE(first) << first.error().message;
  const auto second = ensure(installation("python-b"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->python, "python-b");
  EXPECT_FALSE(is_alive(first->process));
  EXPECT_EQ(read_text(paths_.root / "stops"), "idle\n");
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("python-a, this is stest " + std::string(stest_version()) + " with python-b"),
            std::string::npos)
      << notices_[0];
}

TEST_F(LauncherTest, WhoAsksForTcpGetsADaemonThatServesIt) {
  ASSERT_TRUE(ensure());
  auto wanted = installation();
  wanted.tcp = true;
  ASSERT_TRUE(ensure(wanted));
  EXPECT_EQ(starts(), 2);
  EXPECT_NE(notices_.back().find("does not serve TCP"), std::string::npos);
  ASSERT_TRUE(ensure());
  EXPECT_EQ(starts(), 2);
}

TEST_F(LauncherTest, AReplacementWaitsForRunsForAsLongAsTheyTake) {
  ASSERT_TRUE(ensure(installation("python-a")));
  write_text(paths_.root / "busy", "");
  std::thread finisher([this] {
    std::this_thread::sleep_for(2500ms);
    std::filesystem::remove(paths_.root / "busy");
  });
  const auto second = ensure(installation("python-b"), 1500ms);  // Less than the run takes.
  finisher.join();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->python, "python-b");
}

TEST_F(LauncherTest, ADaemonThatIgnoresTheRequestIsAnErrorInTheEnd) {
  fake("deaf");
  const auto first = ensure(installation("python-a"));
  ASSERT_TRUE(first);
  const auto second = ensure(installation("python-b"), 300ms);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::daemon_unavailable);
  EXPECT_TRUE(is_alive(first->process));
}

TEST_F(LauncherTest, ADaemonThatDiesIsReportedWithItsLog) {
  write_text(paths_.root / "unrelated", "");
  std::filesystem::create_directory(paths_.directory);
  std::filesystem::permissions(paths_.directory, std::filesystem::perms::owner_all);
  write_text(paths_.log_file, "an old line\n");
  fake("die");
  const auto daemon = ensure();
  ASSERT_FALSE(daemon);
  EXPECT_EQ(daemon.error().code, ErrorCode::daemon_unavailable);
  EXPECT_NE(daemon.error().message.find("ended with exit code 3"), std::string::npos);
  EXPECT_NE(daemon.error().message.find("the fake daemon is told to die"), std::string::npos);
  EXPECT_EQ(daemon.error().message.find("an old line"), std::string::npos);
}

TEST_F(LauncherTest, ACrashIsNamed) {
  fake("crash");
  const auto daemon = ensure();
  ASSERT_FALSE(daemon);
  EXPECT_NE(daemon.error().message.find("SIGSEGV"), std::string::npos) << daemon.error().message;
}

TEST_F(LauncherTest, TheDaemonsOwnErrorIsHandedOver) {
  fake("error");
  const auto daemon = ensure();
  ASSERT_FALSE(daemon);
  EXPECT_EQ(daemon.error().code, ErrorCode::config);
  EXPECT_EQ(daemon.error().message, "pyproject.toml:3: bad");
  EXPECT_EQ(daemon.error().hint, "mend it");
}

TEST_F(LauncherTest, ADaemonThatNeverGetsReadyIsKilled) {
  fake("mute");
  const auto daemon = ensure(installation(), 1500ms);
  ASSERT_FALSE(daemon);
  EXPECT_EQ(daemon.error().code, ErrorCode::daemon_unavailable);
  EXPECT_EQ(notices_, std::vector<std::string>{"starting the daemon…"});
  const auto lock = FileLock::try_acquire(paths_.lock_file);
  EXPECT_TRUE(lock && *lock);
}

TEST_F(LauncherTest, AMissingExecutableIsAnError) {
  auto wanted = installation();
  wanted.daemon = project_.root() / "stestd";
  const auto daemon = ensure(wanted);
  ASSERT_FALSE(daemon);
  EXPECT_EQ(daemon.error().code, ErrorCode::daemon_unavailable);
  EXPECT_NE(daemon.error().message.find(wanted.daemon.string()), std::string::npos);
}

TEST_F(LauncherTest, ALockThatSomebodyKeepsIsAnErrorThatNamesTheHolder) {
  ASSERT_TRUE(ensure_directories(paths_));
  auto lock = FileLock::try_acquire(paths_.lock_file);
  ASSERT_TRUE(lock && *lock);
  ASSERT_TRUE((*lock)->write_holder(4711));
  const auto daemon = ensure(installation(), 200ms);
  ASSERT_FALSE(daemon);
  EXPECT_NE(daemon.error().message.find("4711"), std::string::npos);
}

}  // namespace
}  // namespace stest
