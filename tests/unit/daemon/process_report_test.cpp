#include "daemon/process_report.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/os/process.hpp"

namespace stest {
namespace {

/// A shell with a child of its own, which ends with it.
class Shell {
 public:
  Shell() {
    SpawnOptions options;
    options.executable = "/bin/sh";
    options.args = {"-c", "sleep 1000 & wait"};
    pid_ = spawn(options).value();
    while (descendants(pid_).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    child_ = descendants(pid_).front();
  }
  ~Shell() {
    ::kill(child_, SIGKILL);
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
  }
  int pid() const { return pid_; }
  int child() const { return child_; }

 private:
  int pid_ = 0;
  int child_ = 0;
};

TEST(ProcessReport, SaysWhyEachProcessIsThere) {
  const Shell worker;
  const Shell resident;
  const Shell run;
  const Shell stray;
  const auto report = report_processes({{getpid(), {ProcessRole::daemon, {}}},
                                        {worker.pid(), {ProcessRole::worker, {}}},
                                        {resident.pid(), {ProcessRole::resident, {}}},
                                        {run.pid(), {ProcessRole::run, 7}},
                                        {1 << 30, {ProcessRole::left_behind, 5}}});
  std::map<int, std::pair<std::string, nlohmann::json>> by_pid;
  for (const auto& one : report) {
    by_pid[one["pid"]] = {one["role"], one["run"]};
    EXPECT_GT(one["bytes"], 0u);
  }
  EXPECT_EQ(report.front()["pid"], getpid());
  EXPECT_EQ(by_pid.size(), 9u);
  EXPECT_EQ(by_pid[getpid()].first, "daemon");
  EXPECT_EQ(by_pid[worker.pid()].first, "worker");
  EXPECT_EQ(by_pid[worker.child()].first, "snapshot");
  EXPECT_EQ(by_pid[resident.child()].first, "resident");
  EXPECT_EQ(by_pid[run.pid()], std::pair(std::string("run"), nlohmann::json(7)));
  EXPECT_EQ(by_pid[run.child()], std::pair(std::string("run"), nlohmann::json(7)));
  EXPECT_EQ(by_pid[stray.pid()].first, "other");
  EXPECT_TRUE(by_pid[stray.pid()].second.is_null());
}

}  // namespace
}  // namespace stest
