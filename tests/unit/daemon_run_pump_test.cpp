#include "daemon/run_pump.hpp"
#include "daemon_harness.hpp"

namespace stest {
namespace {

class RunPumpTest : public ServiceFixture {
 protected:
  static std::string test_event(const std::string& nodeid, const std::string& when) {
    return R"(event:{"event":"test","nodeid":")" + nodeid + R"(","when":")" + when +
           R"(","outcome":"","duration_s":0})";
  }
};

TEST_F(RunPumpTest, BringsBothStreams) {
  Recorder client;
  EXPECT_EQ(run({"out:to stdout", "err:to stderr"}, client).exit_code, 0);
  EXPECT_EQ(client.output(Stream::out), "to stdout");
  EXPECT_EQ(client.output(Stream::err), "to stderr");
  EXPECT_EQ(client.all<event::Started>().size(), 1u);
}

TEST_F(RunPumpTest, KeepsTheOrderOfMergedStreams) {
  auto merged = request({});
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    merged.args.push_back((i % 2 ? "err:" : "out:") + std::to_string(i) + " ");
    expected += std::to_string(i) + " ";
  }
  merged.merge_streams = true;
  Recorder client;
  run(merged, client);
  EXPECT_EQ(client.out(), expected);
}

TEST_F(RunPumpTest, BringsAnyBytes) {
  Recorder client;
  run({"hex:00ff0a80"}, client);
  EXPECT_EQ(client.out(), std::string("\0\xff\n\x80", 4));
}

TEST_F(RunPumpTest, BringsAll) {
  Recorder client;
  EXPECT_EQ(run({"flood:10000000"}, client).exit_code, 0);
  EXPECT_EQ(client.out().size(), 10'000'000u);
}

TEST_F(RunPumpTest, GivesTheClientsFolderAndEnvironment) {
  project.write("sub/file", "");
  auto there = request({"variable:MINE", "cwd:"});
  there.cwd = (project.path() / "sub").string();
  there.env["MINE"] = "yes ";
  Recorder client;
  run(there, client);
  EXPECT_EQ(client.out(), "yes " + there.cwd);
}

TEST_F(RunPumpTest, BringsOutputAtOnce) {
  BackgroundRun slow(service(), request({"out:early", "sleep:0.5"}));
  slow.client.await<event::Output>();
  EXPECT_TRUE(slow.client.all<event::Done>().empty());
  EXPECT_EQ(slow.done().exit_code, 0);
}

TEST_F(RunPumpTest, ReportsTests) {
  Recorder client;
  run({test_event("t.py::a", "start"), test_event("t.py::a", "teardown")}, client);
  ASSERT_EQ(client.all<event::Test>().size(), 2u);
  EXPECT_EQ(client.all<event::Test>()[1].when, "teardown");
}

TEST_F(RunPumpTest, NamesTheRunningTestInTheStatus) {
  BackgroundRun slow(service(), request({test_event("t.py::a", "start"), "interruptible:2"}));
  slow.client.await<event::Output>();
  slow.client.await<event::Test>();
  const auto runs = service().status()["runs"];
  EXPECT_EQ(runs[0]["nodeid"], "t.py::a");
  EXPECT_EQ(runs[0]["state"], "running");
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
}

TEST_F(RunPumpTest, SaysWhenNothingIsHeard) {
  configure("stuck_after = '200ms'\n");
  Recorder client;
  run({test_event("t.py::a", "start"), "sleep:1.2"}, client);
  const auto stuck = client.all<event::Stuck>();
  ASSERT_GE(stuck.size(), 2u);
  EXPECT_EQ(stuck[0].nodeid, "t.py::a");
  EXPECT_GE(stuck[0].seconds, 0.2);
  EXPECT_GE(stuck[1].seconds, 0.4);
}

TEST_F(RunPumpTest, DoesNotWaitForProcessesLeftBehind) {
  const auto begin = std::chrono::steady_clock::now();
  Recorder client;
  EXPECT_EQ(run({"leave:60", "out:last"}, client).exit_code, 0);
  EXPECT_EQ(client.out(), "last");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(RunPumpTest, TellsHowTheProcessDied) {
  const auto crashed = run({"phase:running", "node:t.py::a", "out:x", "signal:11"});
  EXPECT_EQ(crashed.exit_code, 105);
  EXPECT_EQ(crashed.message, "the tests' process died by SIGSEGV (signal 11) while running t.py::a");
  EXPECT_EQ(run({"phase:running", "signal:9"}).outcome, Outcome::killed);
  EXPECT_EQ(run({"phase:running", "exit:0"}).exit_code, 105);
  EXPECT_EQ(run({"phase:returned", "exit:5"}).exit_code, 5);
  EXPECT_EQ(run({"refuse:"}).exit_code, 104);
}

TEST_F(RunPumpTest, OutlivesItsWorker) {
  Recorder client;
  run({"out:ok"}, client);
  const auto done = run({test_event("t.py::a", "start"), "out:x", "sleep:0.2", "kill_worker:"});
  EXPECT_EQ(done.exit_code, 104);
  EXPECT_EQ(done.message, "stest's worker died by SIGKILL (signal 9) while running t.py::a");
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
}

TEST_F(RunPumpTest, InterruptsAsCtrlCDoes) {
  BackgroundRun slow(service(), request({"interruptible:2"}));
  slow.client.await<event::Output>();
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
  EXPECT_EQ(slow.done().exit_code, 2);
}

TEST_F(RunPumpTest, KillsWhatIgnoresEverythingElse) {
  BackgroundRun slow(service(), request({"ignore:2", "ignore:15", "out:x", "sleep:60"}));
  slow.client.await<event::Output>();
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::terminate));
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::kill));
  const auto done = slow.done();
  EXPECT_EQ(done.exit_code, 107);
  EXPECT_EQ(done.outcome, Outcome::cancelled);
}

TEST_F(RunPumpTest, EndsTheRunOfAClientThatVanished) {
  BackgroundRun slow(service(), request({"interruptible:2"}));
  slow.client.await<event::Output>();
  slow.client.go_away();
  slow.join();
  EXPECT_EQ(service().status()["last_result"]["outcome"], "cancelled");
}

TEST_F(RunPumpTest, KillsInTheEndWhatAVanishedClientLeft) {
  BackgroundRun slow(service(), request({"ignore:2", "ignore:15", "out:x", "sleep:60"}));
  slow.client.await<event::Output>();
  slow.client.go_away();
  slow.join();
  EXPECT_EQ(service().status()["last_result"]["outcome"], "cancelled");
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
}

}  // namespace
}  // namespace stest
