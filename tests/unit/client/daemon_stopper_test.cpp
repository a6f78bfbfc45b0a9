#include "client/daemon_stopper.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include "client/daemon_launcher.hpp"
#include "common/os/file_lock.hpp"
#include "common/os/process.hpp"
#include "common/version.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

class StopperTest : public ::testing::Test {
 protected:
  DaemonStatus start(const char* kind) {
    ::setenv("STEST_FAKE", kind, 1);
    ::setenv("STEST_FAKE_PYTHON", "python", 1);
    const Installation wanted{
        STEST_FAKE_STESTD, std::string(stest_version()), build_id(STEST_FAKE_STESTD), "python", false, {}};
    const auto daemon = DaemonLauncher(paths_, wanted, [](const auto&) {}).ensure();
    EXPECT_TRUE(daemon) << daemon.error().message;
    return *daemon;
  }

  bool is_lock_free() const {
    const auto lock = FileLock::try_acquire(paths_.lock_file);
    return lock && *lock;
  }

  unit::TemporaryProject project_;
  RuntimePaths paths_ = runtime_paths(project_.root(), {});
};

TEST_F(StopperTest, WithoutADaemonThereIsNothingToDo) {
  const auto stopped = stop_daemon(paths_);
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(*stopped);
  EXPECT_FALSE(std::filesystem::exists(paths_.directory)) << "asking creates nothing";
}

TEST_F(StopperTest, ReturnsWhenTheDaemonHasGone) {
  const auto daemon = start("");
  const auto stopped = stop_daemon(paths_);
  ASSERT_TRUE(stopped) << stopped.error().message;
  ASSERT_TRUE(*stopped);
  EXPECT_EQ((*stopped)->pid, daemon.process.pid);
  EXPECT_FALSE((*stopped)->by_force);
  EXPECT_FALSE(is_alive(daemon.process));
  EXPECT_TRUE(is_lock_free());
  EXPECT_EQ(unit::read_text(paths_.root / "stops"), "now\n");
}

TEST_F(StopperTest, ADaemonThatDoesNotEndIsKilled) {
  const auto daemon = start("deaf");
  const auto stopped = stop_daemon(paths_, {200ms, 200ms, 5s});
  ASSERT_TRUE(stopped) << stopped.error().message;
  ASSERT_TRUE(*stopped);
  EXPECT_TRUE((*stopped)->by_force);
  EXPECT_FALSE(is_alive(daemon.process));
  EXPECT_FALSE(std::filesystem::exists(paths_.status_file));
  EXPECT_FALSE(std::filesystem::exists(paths_.socket));
}

TEST_F(StopperTest, AnotherProcessIsNeverKilled) {
  SpawnOptions options;
  options.executable = "/bin/sleep";
  options.args = {"60"};
  const auto pid = spawn(options);
  ASSERT_TRUE(pid);
  ASSERT_TRUE(ensure_directories(paths_));
  DaemonStatus status;
  status.process = *identify(*pid);
  status.endpoint.socket = paths_.socket.string();
  ASSERT_TRUE(write_status(paths_.status_file, status));
  const auto stopped = stop_daemon(paths_, {100ms, 100ms, 100ms});
  EXPECT_FALSE(stopped);
  EXPECT_TRUE(is_alive(status.process));
  ::kill(*pid, SIGKILL);
  (void)wait_for(*pid);
}

TEST_F(StopperTest, ALockThatSomebodyHoldsWithoutAStatusIsAnError) {
  ASSERT_TRUE(ensure_directories(paths_));
  const auto lock = FileLock::try_acquire(paths_.lock_file);
  ASSERT_TRUE(lock && *lock);
  const auto stopped = stop_daemon(paths_, {100ms, 100ms, 100ms});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::daemon_unavailable);
}

}  // namespace
}  // namespace stest
