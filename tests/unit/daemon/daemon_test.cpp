#include "daemon/daemon.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/os/file_lock.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"
#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

/// Starts the real `stestd`, which finds no worker here and needs none.
class DaemonTest : public testing::Test {
 protected:
  ~DaemonTest() override {
    if (pid_) ::kill(*pid_, SIGKILL);
    if (pid_) wait_for(*pid_);
  }

  /// What it says on its readiness pipe.
  std::string start(std::map<int, int> more_fds = {}, std::vector<std::string> more_args = {}) {
    auto pipe = make_pipe().value();
    SpawnOptions options;
    options.executable = STEST_DAEMON;
    options.args = {"--root", project.path().string(), "--ready-fd", "4"};
    options.args.insert(options.args.end(), more_args.begin(), more_args.end());
    options.fds = std::move(more_fds);
    options.fds[4] = pipe.write.get();
    pid_ = spawn(options).value();
    pipe.write.reset();
    std::string said;
    for (auto read = read_some(pipe.read.get(), 4096); read && !read->end;
         read = read_some(pipe.read.get(), 4096)) {
      said += read->data;
    }
    return said;
  }

  ExitStatus wait() { return wait_for(*std::exchange(pid_, std::nullopt)).value(); }

  void expect_nothing_left() {
    EXPECT_FALSE(std::filesystem::exists(paths.socket));
    EXPECT_FALSE(std::filesystem::exists(paths.status_file));
    EXPECT_TRUE(FileLock::try_acquire(paths.lock_file).value());
  }

  TemporaryFolder project;
  RuntimePaths paths = runtime_paths(project.path(), current_environment());
  std::optional<int> pid_;
};

TEST_F(DaemonTest, ServesUntilItIsTerminated) {
  ASSERT_EQ(start(), "ready\n");
  const auto status = read_status(paths.status_file);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->process.pid, *pid_);
  EXPECT_EQ(status->state, "idle");
  EXPECT_EQ(status->endpoint.socket, paths.socket.string());
  EXPECT_EQ(lock_holder(paths.lock_file), *pid_);
  EXPECT_FALSE(FileLock::try_acquire(paths.lock_file).value());
  ::kill(*pid_, SIGTERM);
  EXPECT_EQ(wait().code, 0);
  expect_nothing_left();
}

TEST_F(DaemonTest, TakesOverTheLaunchersLock) {
  ASSERT_TRUE(ensure_directories(paths));
  auto lock = FileLock::try_acquire(paths.lock_file).value();
  ASSERT_EQ(start({{3, lock->fd()}}, {"--lock-fd", "3"}), "ready\n");
  lock.reset();
  EXPECT_FALSE(FileLock::try_acquire(paths.lock_file).value());
  ::kill(*pid_, SIGINT);
  EXPECT_EQ(wait().code, 0);
  expect_nothing_left();
}

TEST_F(DaemonTest, RefusesToBeTheSecond) {
  ASSERT_TRUE(ensure_directories(paths));
  auto lock = FileLock::try_acquire(paths.lock_file).value();
  ASSERT_TRUE(lock->write_holder(4711));
  const auto said = start();
  ASSERT_TRUE(said.starts_with("error\n"));
  const auto error = error_from_json(nlohmann::json::parse(said.substr(6)));
  EXPECT_EQ(error.code, ErrorCode::daemon_unavailable);
  EXPECT_NE(error.message.find("4711"), std::string::npos);
  EXPECT_EQ(wait().code, 103);
}

TEST_F(DaemonTest, ReplacesWhatAKilledOneLeft) {
  ASSERT_EQ(start(), "ready\n");
  ::kill(*pid_, SIGKILL);
  wait();
  EXPECT_TRUE(std::filesystem::exists(paths.socket));
  ASSERT_EQ(start(), "ready\n");
  EXPECT_EQ(read_status(paths.status_file)->process.pid, *pid_);
}

TEST_F(DaemonTest, StartsInSpiteOfABadConfiguration) {
  project.write("pyproject.toml", "[tool.sprintest]\nunknown = 1\n");
  EXPECT_EQ(start(), "ready\n");
}

TEST_F(DaemonTest, EndsInSpiteOfAClientThatDoesNothing) {
  ASSERT_EQ(start(), "ready\n");
  const Fd idle(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, paths.socket.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(idle.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(write_all(idle.get(), "GET /v1/sta"));
  ::kill(*pid_, SIGTERM);
  EXPECT_EQ(wait().code, 0);
  expect_nothing_left();
}

/// What reaps an orphan wakes the main loop, so that no test waits for the next look.
void wake(int pid) { ::kill(pid, SIGCHLD); }

TEST_F(DaemonTest, EndsWhenItsRootIsGone) {
  ASSERT_EQ(start(), "ready\n");
  wake(*pid_);
  EXPECT_TRUE(read_status(paths.status_file));
  std::filesystem::remove_all(project.path());
  wake(*pid_);
  EXPECT_EQ(wait().code, 0);
  EXPECT_FALSE(std::filesystem::exists(project.path()));
}

TEST_F(DaemonTest, EndsWhenItsStateFolderIsGoneAndLeavesTheNextDaemonAlone) {
  ASSERT_EQ(start(), "ready\n");
  const auto first = *std::exchange(pid_, std::nullopt);
  std::filesystem::remove_all(paths.directory);
  ASSERT_EQ(start(), "ready\n");
  wake(first);
  EXPECT_EQ(wait_for(first).value().code, 0);
  const auto status = read_status(paths.status_file);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->process.pid, *pid_);
  EXPECT_TRUE(std::filesystem::exists(paths.socket));
}

}  // namespace
}  // namespace stest
