// The command `stest` itself, started as a process, with the fake daemon of client_fake_stestd.cpp.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "cli/terminal/presentation.hpp"
#include "client/daemon_stopper.hpp"
#include "common/os/process.hpp"
#include "common/os/python_executable.hpp"
#include "common/os/runtime_paths.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using unit::read_text;
using unit::write_text;
using namespace std::chrono_literals;

/// A started `stest` and its two output pipes.
struct Command {
  int pid = 0;
  Fd out;
  Fd err;
};

struct Finished {
  ExitStatus status;
  std::string out;
  std::string err;
};

class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    write_text(root_ / "pytest.ini", "");
    for (const auto* name : {"NO_COLOR", "FORCE_COLOR", "PY_COLORS", "PYTEST_ADDOPTS"}) env_.erase(name);
    while (!agent_variable(env_).empty()) env_.erase(std::string(agent_variable(env_)));
    env_.erase("SPRINTEST_DIR");
    env_["SPRINTEST_PYTHON"] = python_executable({}).string();  // No line about the environment of the shell.
  }
  ~RunTest() override { (void)stop_daemon(runtime_paths(root_, {}), {2s, 1s, 5s}); }

  Command start(std::vector<std::string> args) {
    auto out = *make_pipe();
    auto err = *make_pipe();
    SpawnOptions options;
    options.executable = STEST_FAKE_STEST;
    options.args = std::move(args);
    options.env = &env_;
    options.cwd = root_.string();
    options.fds = {{1, out.write.get()}, {2, (merged_ ? out : err).write.get()}};
    return {*spawn(options), std::move(out.read), std::move(err.read)};
  }

  static std::string read_to_end(const Fd& fd) {
    std::string text;
    for (auto part = read_some(fd.get(), 4096); part && !part->end; part = read_some(fd.get(), 4096)) {
      text += part->data;
    }
    return text;
  }

  static Finished finish(Command command) {
    auto out = read_to_end(command.out);
    auto err = read_to_end(command.err);
    return {wait_for(command.pid).value_or(ExitStatus{}), std::move(out), std::move(err)};
  }

  Finished run(std::vector<std::string> args) { return finish(start(std::move(args))); }

  void wait_for_file(const char* name) const {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!std::filesystem::exists(root_ / name)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << name;
      std::this_thread::yield();
    }
  }

  nlohmann::json request() const { return nlohmann::json::parse(read_text(root_ / "request.json")); }

  unit::TemporaryProject project_;
  std::filesystem::path root_ = project_.root();
  Environment env_ = current_environment();
  bool merged_ = false;
};

TEST_F(RunTest, OutputAndExitCodeAreTheRuns) {
  const auto finished = run({"hello"});
  EXPECT_EQ(finished.status.code, 3);
  EXPECT_EQ(finished.out, "hello \xff\n");
  EXPECT_EQ(finished.err, "oops\nstest: started the worker\n");
}

TEST_F(RunTest, TheRequestIsComplete) {
  std::filesystem::create_directory(root_ / "deeper");
  env_["SOME_VARIABLE"] = "\xff";
  run({"hello", "-k", "a b", "--", "--events", "\xfe"});
  const auto sent = run_request_from_json(request());
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(sent->args, (std::vector<std::string>{"hello", "-k", "a b", "--", "--events", "\xfe"}));
  EXPECT_EQ(sent->cwd, std::filesystem::canonical(root_).string());
  EXPECT_EQ(sent->env, env_);
  EXPECT_FALSE(sent->merge_streams);
  const auto mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(sent->umask, static_cast<int>(mask));
  EXPECT_EQ(sent->process, current_attributes());
}

TEST_F(RunTest, OneFileForBothStreamsIsSaid) {
  merged_ = true;
  run({"hello"});
  EXPECT_TRUE(run_request_from_json(request())->merge_streams);
}

TEST_F(RunTest, StuckAfterTravelsInTheEnvironment) {
  run({"run", "--stuck-after", "90s", "--", "hello"});
  EXPECT_EQ(run_request_from_json(request())->env.at("SPRINTEST_STUCK_AFTER"), "90s");
}

TEST_F(RunTest, NoWaitIsSaid) {
  run({"hello"});
  EXPECT_TRUE(run_request_from_json(request())->wait);
  run({"run", "--no-wait", "--", "hello"});
  EXPECT_FALSE(run_request_from_json(request())->wait);
}

TEST_F(RunTest, VeryQuietHidesTheNotice) { EXPECT_EQ(run({"hello", "-qq"}).err, "oops\n"); }

TEST_F(RunTest, EventsArePrintedAsTheyAre) {
  const auto finished = run({"run", "--events", "--", "hello"});
  EXPECT_EQ(finished.status.code, 3);
  EXPECT_EQ(finished.err, "");
  std::vector<std::string> kinds;
  std::istringstream lines(finished.out);
  for (std::string line; std::getline(lines, line);) kinds.push_back(nlohmann::json::parse(line)["event"]);
  EXPECT_EQ(kinds, (std::vector<std::string>{"started", "output", "output", "notice", "done"}));
}

TEST_F(RunTest, ARunThatNoDaemonBeganStartsOverWithAFreshOne) {
  env_["STEST_FAKE"] = "once";
  const auto finished = run({"hello"});
  EXPECT_EQ(finished.status.code, 3) << finished.err;
  EXPECT_EQ(read_text(root_ / "starts"), "start\nstart\n");
}

TEST_F(RunTest, ARunThatHasBegunNeverStartsOver) {
  const auto finished = run({"vanish"});
  EXPECT_EQ(finished.status.code, static_cast<int>(ExitCode::daemon_unavailable));
  EXPECT_EQ(finished.err,
            "stest: the connection to the daemon was lost while the tests ran\nhint: see `stest logs`\n");
  EXPECT_EQ(read_text(root_ / "starts"), "start\n");
}

TEST_F(RunTest, WhereTheDaemonKeepsRefusingPytestRunsInTheEnd) {
  const auto finished = run({"refuse"});
  EXPECT_EQ(finished.status.code, static_cast<int>(ExitCode::pytest_usage_error));
  EXPECT_EQ(finished.err,
            "stest: running `python -m pytest` instead: about to stop; `stest doctor` says more\n"
            "ERROR: file or directory not found: refuse\n\n");
}

TEST_F(RunTest, AnErrorOfTheStartingDaemonKeepsItsCode) {
  env_["STEST_FAKE"] = "error";
  const auto finished = run({"hello"});
  EXPECT_EQ(finished.status.code, static_cast<int>(ExitCode::config_error));
  EXPECT_EQ(finished.err, "stest: pyproject.toml:3: bad\nhint: mend it\n");
}

TEST_F(RunTest, AReaderThatLeavesEndsTheRun) {
  auto command = start({"flood"});
  EXPECT_EQ(read_some(command.out.get(), 100)->data.substr(0, 1), "x");
  command.out.reset();
  const auto err = read_to_end(command.err);
  EXPECT_EQ(wait_for(command.pid)->code, 1);
  EXPECT_EQ(err, "");
  wait_for_file("gone");
}

TEST_F(RunTest, CtrlCEscalatesAndTheExitCodeIsTheRuns) {
  auto command = start({"wait"});
  EXPECT_EQ(read_some(command.out.get(), 100)->data, "waiting\n");
  ::kill(command.pid, SIGINT);
  wait_for_file("cancels");
  ::kill(command.pid, SIGINT);
  const auto finished = finish(std::move(command));
  EXPECT_EQ(finished.status.code, 2);
  EXPECT_NE(finished.err.find("terminating the run"), std::string::npos);
  EXPECT_NE(finished.err.find("stest: cancelled: interrupt terminate\n"), std::string::npos) << finished.err;
}

TEST_F(RunTest, SigtermTerminatesTheRun) {
  auto command = start({"wait"});
  EXPECT_EQ(read_some(command.out.get(), 100)->data, "waiting\n");
  ::kill(command.pid, SIGTERM);
  EXPECT_NE(finish(std::move(command)).err.find("stest: cancelled: terminate\n"), std::string::npos);
}

TEST_F(RunTest, CtrlCWhileTheDaemonStartsLeaves) {
  env_["STEST_FAKE"] = "mute";
  auto command = start({"hello"});
  wait_for_file("starts");
  ::kill(command.pid, SIGINT);
  EXPECT_EQ(wait_for(command.pid)->code, 2);
}

TEST_F(RunTest, TheCommandsAroundARun) {
  EXPECT_EQ(run({"status"}).status.code, static_cast<int>(ExitCode::not_running));
  EXPECT_EQ(nlohmann::json::parse(run({"status", "--json"}).out)["state"], "stopped");
  EXPECT_EQ(run({"stop"}).status.code, 0);
  EXPECT_EQ(run({"logs"}).status.code, static_cast<int>(ExitCode::not_running));

  const auto started = run({"start"});
  EXPECT_EQ(started.status.code, 0);
  const auto pid = read_status(runtime_paths(root_, {}).status_file)->process.pid;
  EXPECT_NE(started.out.find("pid " + std::to_string(pid)), std::string::npos) << started.out;
  EXPECT_EQ(nlohmann::json::parse(run({"status", "--json"}).out)["state"], "idle");

  EXPECT_EQ(run({"restart"}).status.code, 0);
  EXPECT_NE(read_status(runtime_paths(root_, {}).status_file)->process.pid, pid);
  EXPECT_EQ(run({"stop"}).status.code, 0);
  EXPECT_FALSE(read_status(runtime_paths(root_, {}).status_file));
}

}  // namespace
}  // namespace stest
