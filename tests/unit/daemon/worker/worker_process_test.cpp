#include "daemon/worker/worker_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

class WorkerProcessTest : public testing::Test {
 protected:
  WorkerProcessTest() {
    command.host.executable = STEST_FAKE_WORKER;
    command.python = "/usr/bin/python3";
    command.root = folder.path();
    command.log_file = folder.path() / "worker.log";
    command.env = {{"PATH", "/usr/bin:/bin:" + current_environment()["PATH"]}};
  }

  void start() {
    worker = WorkerProcess::spawn(command, children).value();
    worker->listen({[this](const protocol::FromWorker& message) {
                      if (std::holds_alternative<protocol::Ready>(message)) ++greetings;
                    },
                    [this](const ExitStatus& status) {
                      exit = status;
                      ended = true;
                    }});
  }

  protocol::RunTest script(std::vector<std::string> steps) {
    return {1, std::move(steps), "/", command.env, 022, protocol::RunMode::fork, 0};
  }

  TemporaryFolder folder;
  Children children;
  WorkerCommand command;
  std::atomic<int> greetings = 0;
  ExitStatus exit;
  std::atomic<bool> ended = false;
  std::unique_ptr<WorkerProcess> worker;
};

TEST_F(WorkerProcessTest, GreetsAndStops) {
  start();
  await([&] { return greetings == 1; }, "the greeting");
  worker->stop(test_patience);
  EXPECT_TRUE(ended);
  EXPECT_EQ(exit.code, 0);
  EXPECT_FALSE(identify(worker->pid()));
}

TEST_F(WorkerProcessTest, KillsAWorkerThatDoesNotStop) {
  command.env["FAKE_DEAF"] = "1";
  start();
  await([&] { return greetings == 1; }, "the greeting");
  worker->stop(std::chrono::milliseconds(20));
  EXPECT_EQ(exit.signal, SIGKILL);
}

TEST_F(WorkerProcessTest, TellsEveryMailboxOfTheDeath) {
  start();
  const auto before = worker->open_mailbox(1).value();
  worker->kill();
  await([&] { return ended.load(); }, "the death");
  EXPECT_EQ(exit.signal, SIGKILL);
  await([&] { return before->take().death.has_value(); }, "the message about it");
  worker->stop(test_patience);
  EXPECT_EQ(worker->open_mailbox(2).value()->take().death->signal, SIGKILL);
}

TEST_F(WorkerProcessTest, TakesAllDescendantsAlong) {
  ASSERT_TRUE(Children::adopt_orphans());
  start();
  const auto null = ::open("/dev/null", O_RDWR);
  ASSERT_TRUE(worker->send(script({"leave:60", "sleep:60"}), {null, null, null, null, null}));
  ::close(null);
  await([&] { return descendants(worker->pid()).size() == 2; }, "the runner and its child");
  const auto family = descendants(worker->pid());
  worker->kill();
  await([&] { return ended.load(); }, "the death");
  for (const int pid : family) EXPECT_FALSE(identify(pid));
}

TEST_F(WorkerProcessTest, KeepsTheWorkersWordsInTheLog) {
  command.env["FAKE_DIE"] = "1";
  start();
  await([&] { return ended.load(); }, "the end");
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(read_text(command.log_file), "the fake worker dies as told\n");
}

TEST_F(WorkerProcessTest, KillsAWorkerThatSpeaksNonsense) {
  command.host.executable = folder.write("nonsense", "#!/bin/sh\necho nonsense >&3\nsleep 60\n");
  std::filesystem::permissions(command.host.executable, std::filesystem::perms::owner_all);
  start();
  await([&] { return ended.load(); }, "its end");
  EXPECT_EQ(exit.signal, SIGKILL);
}

TEST_F(WorkerProcessTest, SaysWhichExecutableIsMissing) {
  command.host.executable = folder.path() / "missing";
  const auto spawned = WorkerProcess::spawn(command, children);
  ASSERT_FALSE(spawned);
  EXPECT_EQ(spawned.error().code, ErrorCode::worker_failed);
  EXPECT_NE(spawned.error().message.find("missing"), std::string::npos);
}

}  // namespace
}  // namespace stest
