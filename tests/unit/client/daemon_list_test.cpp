#include "client/daemon_list.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "client/daemon_launcher.hpp"
#include "client/daemon_stopper.hpp"
#include "common/os/process.hpp"
#include "common/version.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

/// Other daemons may run on this machine, so only those of this project are looked at.
class DaemonListTest : public ::testing::Test {
 protected:
  DaemonListTest() { std::filesystem::create_directory(paths_.root); }
  ~DaemonListTest() override {
    for (const auto& daemon : found()) ::kill(daemon.process.pid, SIGKILL);
  }

  DaemonStatus start(const char* kind, const std::filesystem::path& executable = STEST_FAKE_STESTD) {
    ::setenv("STEST_FAKE", kind, 1);
    ::setenv("STEST_FAKE_PYTHON", "python", 1);
    const Installation wanted{executable, std::string(stest_version()), build_id(executable), "python", false,
                              {}};
    const auto daemon = DaemonLauncher(paths_, wanted, [](const auto&) {}).ensure();
    EXPECT_TRUE(daemon) << daemon.error().message;
    return *daemon;
  }

  std::vector<FoundDaemon> found() const {
    auto all = find_daemons();
    std::erase_if(all, [this](const FoundDaemon& one) { return one.paths.root != paths_.root; });
    return all;
  }

  unit::TemporaryProject folder_;
  RuntimePaths paths_ = runtime_paths(folder_.root() / "a folder, ein Verzeichnis für ünïcode", {});
};

TEST_F(DaemonListTest, TellsAllAboutADaemon) {
  EXPECT_TRUE(found().empty());
  const auto daemon = start("");
  const auto all = found();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].process, daemon.process);
  EXPECT_EQ(all[0].executable, std::filesystem::canonical(STEST_FAKE_STESTD));
  EXPECT_FALSE(all[0].is_executable_deleted);
  EXPECT_FALSE(all[0].is_root_gone);
  EXPECT_EQ(all[0].python, "python");
  ASSERT_TRUE(all[0].status);
  EXPECT_EQ(all[0].status->state, "idle");
  EXPECT_EQ(all[0].processes, 1u);
  EXPECT_GT(all[0].memory, 100u << 10);
  EXPECT_NEAR(static_cast<double>(all[0].started_at), static_cast<double>(std::time(nullptr)), 30);
  const auto stopped = stop_daemon(all[0]);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_FALSE(stopped->by_force);
  EXPECT_TRUE(found().empty());
}

TEST_F(DaemonListTest, FindsADaemonOfAnInstallationThatIsGone) {
  const auto copy = folder_.root() / "stestd";
  std::filesystem::copy_file(STEST_FAKE_STESTD, copy);
  start("", copy);
  std::filesystem::remove(copy);
  const auto all = found();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].is_executable_deleted);
  EXPECT_EQ(all[0].executable, copy);
  EXPECT_TRUE(stop_daemon(all[0]));
  EXPECT_TRUE(found().empty());
}

TEST_F(DaemonListTest, FindsADaemonWhoseRootIsGone) {
  const auto daemon = start("");
  std::filesystem::remove_all(paths_.root);
  auto all = found();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].is_root_gone);
  EXPECT_FALSE(all[0].status);
  EXPECT_EQ(all[0].process, daemon.process);
  const auto stopped = stop_daemon(all[0]);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_FALSE(stopped->by_force) << "SIGTERM is enough";
  EXPECT_FALSE(is_alive(daemon.process));
}

TEST_F(DaemonListTest, ADaemonWhoseRootIsGoneAndThatDoesNotEndIsKilled) {
  const auto daemon = start("deaf");
  std::filesystem::remove_all(paths_.root);
  const auto all = found();
  ASSERT_EQ(all.size(), 1u);
  const auto stopped = stop_daemon(all[0], {200ms, 200ms, 5s});
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_TRUE(stopped->by_force);
  EXPECT_FALSE(is_alive(daemon.process));
}

TEST_F(DaemonListTest, TwoDaemonsOfOnePath) {
  const auto old = start("");
  std::filesystem::remove_all(paths_.root);
  std::filesystem::create_directory(paths_.root);
  const auto now = start("");
  const auto all = found();
  ASSERT_EQ(all.size(), 2u);
  const bool is_first_old = all[0].process == old.process;
  const auto& of_old = all[is_first_old ? 0 : 1];
  EXPECT_FALSE(of_old.status);
  EXPECT_TRUE(all[is_first_old ? 1 : 0].status);
  EXPECT_TRUE(stop_daemon(of_old));
  EXPECT_FALSE(is_alive(old.process));
  EXPECT_TRUE(is_alive(now.process));
}

TEST_F(DaemonListTest, AProcessThatOnlyHasTheNameIsNoDaemon) {
  const auto shell = folder_.root() / "stestd";
  std::filesystem::copy_file(std::filesystem::canonical("/bin/sh"), shell);
  SpawnOptions options;
  options.executable = shell;
  options.args = {"-c", "kill -STOP $$", "--root", paths_.root.string()};
  const auto pid = spawn(options);
  ASSERT_TRUE(pid);
  const auto is_running = [&] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(*pid) + "/exe") == shell;
  };
  while (!is_running()) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(found().empty());
  ::kill(*pid, SIGKILL);
  (void)wait_for(*pid);
}

}  // namespace
}  // namespace stest
