#include "daemon/worker/import_pauses.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace stest {
namespace {

/// Whether the imports are suspended, as the pauses have last said.
class Imports {
 public:
  bool suspend(bool on) {
    const std::lock_guard lock(mutex_);
    is_suspended_ = on;
    changed_.notify_all();
    return on;
  }

  void await(bool suspended) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_suspended_ == suspended; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_suspended_ = false;
};

class ImportPausesTest : public testing::Test {
 protected:
  ~ImportPausesTest() override { end_run(); }

  void begin() {
    pauses.begin(run, 2, [this](bool on) { return imports.suspend(on); });
  }

  void end_run() {
    ::kill(run, SIGKILL);
    ::waitpid(run, nullptr, 0);
  }

  static int sleeper() {
    const int pid = ::fork();
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
    return pid;
  }

  int run = sleeper();
  std::atomic<int> running = 3;  ///< -1: not known.
  Imports imports;
  ImportPauses pauses{[this] { return running < 0 ? std::nullopt : std::optional(running.load()); }};
};

TEST_F(ImportPausesTest, LastWhileMoreThreadsRunThanThereAreProcessors) {
  begin();
  imports.await(true);
  running = 1;
  imports.await(false);
  running = 3;
  imports.await(true);
}

TEST_F(ImportPausesTest, EndWithTheRun) {
  begin();
  imports.await(true);
  end_run();
  imports.await(false);
}

TEST_F(ImportPausesTest, LastToTheEndOfTheRunIfTheThreadsCannotBeCounted) {
  running = -1;
  begin();
  imports.await(true);
  end_run();
  imports.await(false);
}

TEST_F(ImportPausesTest, AreSharedByTwoRuns) {
  running = 1;
  const int other = sleeper();
  Imports others;
  pauses.begin(other, 2, [&](bool on) { return others.suspend(on); });
  begin();
  running = 3;
  imports.await(true);
  others.await(true);
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  others.await(false);
  imports.await(true);
}

}  // namespace
}  // namespace stest
