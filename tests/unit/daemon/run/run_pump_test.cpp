#include "daemon/run/run_pump.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "unit/daemon/harness.hpp"

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
  EXPECT_GE(stuck[0].test_seconds, 0.2);
  EXPECT_EQ(stuck[0].stack, "a stack");
}

TEST_F(RunPumpTest, EndsARunThatIsSilentForTooLong) {
  configure("hang_timeout = '200ms'\n");
  for (const auto& script :
       {std::vector<std::string>{test_event("t.py::a", "start"), "sleep:60"},
        std::vector<std::string>{"ignore:15", test_event("t.py::a", "start"), "sleep:60"}}) {
    Recorder client;
    const auto done = run(script, client);
    EXPECT_EQ(done.exit_code, 111);
    EXPECT_EQ(done.outcome, Outcome::hung);
    EXPECT_NE(done.message.find("while running t.py::a"), std::string::npos) << done.message;
    ASSERT_EQ(client.all<event::Stuck>().size(), 1u);
    EXPECT_EQ(client.all<event::Stuck>()[0].stack, "a stack");
  }
  configure("");
  EXPECT_EQ(run({"sleep:0.5", "out:ok"}).exit_code, 0);
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
  EXPECT_EQ(run({"refuse:"}).exit_code, 112);
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

/// Runs whose process may start over, until it has said that it will not.
class HeldBackTest : public RunPumpTest {
 protected:
  HeldBackTest() { configure("isolation = 'resident'\n"); }

  /// A step that waits for `go(name)`.
  std::string await_step(const std::string& name) { return "await:" + (project.path() / name).string(); }
  void go(const std::string& name) { project.write(name, ""); }

  static std::size_t starts(const Recorder& client) { return client.all<event::Started>().size(); }
  /// Waits for the step `tell:`, or `waits:`. Not for an event: those are held back as well.
  void await_told() {
    await([this] { return std::filesystem::exists(project.path() / "told"); }, "the step");
  }
};

TEST_F(HeldBackTest, OutputComesOnceTheRunHasSettled) {
  BackgroundRun slow(service(), request({"out:early ", "tell:", await_step("a"), "settled:", "out:late",
                                         await_step("b"), "out: last"}));
  await_told();
  EXPECT_TRUE(slow.client.all<event::Output>().empty());
  go("a");
  await([&] { return slow.client.out() == "early late"; }, "the output");
  go("b");
  EXPECT_EQ(slow.done().exit_code, 0);
  EXPECT_EQ(slow.client.out(), "early late last");
}

TEST_F(HeldBackTest, OutputComesBeforeTheTestsThatFollowIt) {
  BackgroundRun slow(service(), request({"out:early", "tell:", await_step("a"), "settled:",
                                         test_event("t.py::a", "start"), test_event("t.py::a", "teardown")}));
  await_told();
  go("a");
  slow.join();
  std::vector<std::size_t> kinds;
  for (const auto& event : slow.client.events()) {
    if (std::holds_alternative<event::Output>(event) || std::holds_alternative<event::Test>(event)) {
      kinds.push_back(event.index());
    }
  }
  const auto output = Event(event::Output{}).index();
  const auto test = Event(event::Test{}).index();
  EXPECT_EQ(kinds, (std::vector<std::size_t>{output, test, test}));
}

TEST_F(HeldBackTest, OutputOfARunWithoutTestsComesAtItsEnd) {
  Recorder client;
  EXPECT_EQ(run({"out:no tests ", "err:ran", "out:here", "phase:returned", "exit:5"}, client).exit_code, 5);
  EXPECT_EQ(client.output(Stream::out), "no tests here");
  EXPECT_EQ(client.output(Stream::err), "ran");
}

TEST_F(HeldBackTest, OutputOfACrashIsKept) {
  Recorder client;
  EXPECT_EQ(run({"out:last words", "phase:running", "signal:11"}, client).exit_code, 105);
  EXPECT_EQ(client.out(), "last words");
}

TEST_F(HeldBackTest, MergedStreamsKeepTheirOrder) {
  auto merged = request({"out:1 ", "err:2 ", "out:3 ", "settled:", "err:4 ", "out:5"});
  merged.merge_streams = true;
  Recorder client;
  run(merged, client);
  EXPECT_EQ(client.out(), "1 2 3 4 5");
}

TEST_F(HeldBackTest, ARunThatStartsOverIsRunAgainAndNobodySeesItsOutput) {
  Recorder client;
  const auto done = run({"first:out:dropped ", "first:err:dropped", "first:start_over:a changed", "out:kept ",
                         "settled:", test_event("t.py::a", "start"), "out:too"},
                        client);
  EXPECT_EQ(done.exit_code, 0) << done.message;
  EXPECT_EQ(client.out(), "kept too");
  EXPECT_EQ(client.output(Stream::err), "");
  EXPECT_EQ(client.notice(), first_notice + "started a clean process: a changed\n");
  EXPECT_EQ(client.all<event::Test>().size(), 1u);
  const auto started = client.all<event::Started>();
  ASSERT_EQ(started.size(), 2u);
  EXPECT_EQ(started[0].id, started[1].id);
  EXPECT_NE(started[0].pid, started[1].pid);
  EXPECT_EQ(service().status()["last_result"]["notice"][1], "started a clean process: a changed");
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
}

TEST_F(HeldBackTest, OneThatStartsOverForEverComesToAnEnd) {
  Recorder client;
  const auto done = run({"out:x", "start_over:never"}, client);
  EXPECT_EQ(done.exit_code, 112);
  EXPECT_EQ(done.outcome, Outcome::internal_error);
  EXPECT_EQ(done.message, "no warm process can run these tests: never");
  EXPECT_NE(client.notice().find("never: ran cold"), std::string::npos);
  EXPECT_EQ(starts(client), 3u);
  EXPECT_EQ(client.out(), "") << "a cold run says it all";
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
}

TEST_F(HeldBackTest, AStartOverAfterTestsRanIsNoReasonToRunThemAgain) {
  Recorder client;
  EXPECT_EQ(run({"settled:", test_event("t.py::a", "start"), "out:x", "start_over:late"}, client).exit_code,
            104);
  EXPECT_EQ(starts(client), 1u);
  EXPECT_EQ(client.out(), "x");
}

TEST_F(HeldBackTest, MuchOutputIsNotHeld) {
  constexpr std::size_t much = 20'000'000;
  BackgroundRun slow(service(),
                     request({"flood:" + std::to_string(much), await_step("a"), "start_over:late"}));
  await([&] { return slow.client.out().size() == much; }, "the output");
  go("a");
  EXPECT_EQ(slow.done().exit_code, 112);
  EXPECT_EQ(starts(slow.client), 3u);
  EXPECT_EQ(slow.client.out().size(), much + 2 * (much - ShownOutput::limit)) << "what is remembered";
}

TEST_F(HeldBackTest, WhatWasShownOfARunningTestIsNotShownTwice) {
  BackgroundRun slow(service(), request({test_event("t.py::a", "start"), "out:header\n", "first:out:late ",
                                         "first:tell:", "first:" + await_step("a"),
                                         "first:start_over:a changed", "out:rest"}));
  await([&] { return slow.client.out() == "header\nlate "; }, "the output of a test that takes long");
  go("a");
  EXPECT_EQ(slow.done().exit_code, 0);
  EXPECT_EQ(slow.client.out(), "header\nlate rest");
}

TEST_F(RunPumpTest, WhatAColdRunSaysAgainIsNotShown) {
  Recorder client;
  EXPECT_EQ(run({"out:header", "cold:yaml.py hides yaml"}, client).exit_code, 112);
  EXPECT_EQ(client.out(), "");
  EXPECT_EQ(client.notice(), first_notice + "yaml.py hides yaml: ran cold\n");
}

TEST_F(RunPumpTest, AskedForItsStackARunTellsIt) {
  BackgroundRun slow(service(), request({"out:ready", "waits:exit:2"}));
  slow.client.await<event::Output>();
  ASSERT_TRUE(service().ask_stack(slow.id));
  slow.client.await<event::Stuck>([](const auto& stuck) { return stuck.stack == "a stack"; });
  EXPECT_FALSE(service().ask_stack(99));
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::kill));
  slow.join();
  EXPECT_EQ(slow.client.all<event::Stuck>().size(), 1u);
}

TEST_F(RunPumpTest, ADeathIsToldWithWhatFailedBeforeAndWhatDidNotRun) {
  const auto file = project.path() / "cache" / "v" / "cache" / "lastfailed";
  const auto collected =
      "event:" + nlohmann::json{{"event", "collected"}, {"tests", 5}, {"last_failed", file.string()}}.dump();
  const auto report = [](const std::string& nodeid, const std::string& outcome) {
    return R"(event:{"event":"test","nodeid":")" + nodeid + R"(","when":"call","outcome":")" + outcome +
           R"(","duration_s":0})";
  };
  const std::vector<std::string> script{collected,
                                        test_event("a", "start"),
                                        report("a", "failed"),
                                        test_event("b", "start"),
                                        report("b", "passed"),
                                        test_event("c", "start"),
                                        "phase:running",
                                        "node:c",
                                        "signal:11"};
  Recorder client;
  EXPECT_EQ(run(script, client).exit_code, 105);
  const auto unfinished = client.done().unfinished;
  ASSERT_TRUE(unfinished);
  EXPECT_EQ(unfinished->failed, std::vector<std::string>{"a"});
  EXPECT_EQ(unfinished->nodeid, "c");
  EXPECT_EQ(unfinished->not_run, 2);
  EXPECT_TRUE(unfinished->last_failed);
  EXPECT_EQ(nlohmann::json::parse(read_text(file)), (nlohmann::json{{"a", true}, {"c", true}}));
  Recorder fine;
  run({collected, "out:ok"}, fine);
  EXPECT_FALSE(fine.done().unfinished);
}

TEST_F(HeldBackTest, ACancelReachesARunWhoseOutputIsHeld) {
  BackgroundRun slow(service(), request({"out:held", "phase:returned", "waits:exit:2"}));
  await_told();
  EXPECT_EQ(slow.client.out(), "");
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
  EXPECT_EQ(slow.done().exit_code, 2);
  EXPECT_EQ(slow.client.out(), "held");
}

TEST_F(HeldBackTest, ACancelledRunDoesNotStartOver) {
  BackgroundRun slow(service(), request({"out:held", "waits:start_over:late"}));
  await_told();
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
  EXPECT_EQ(slow.done().outcome, Outcome::cancelled);
  EXPECT_EQ(starts(slow.client), 1u);
}

TEST_F(HeldBackTest, ACancelReachesTheProcessThatTookOver) {
  BackgroundRun slow(service(), request({"first:start_over:a changed", "phase:returned", "waits:exit:2"}));
  await_told();
  ASSERT_TRUE(service().cancel(slow.id, CancelHow::interrupt));
  EXPECT_EQ(slow.done().exit_code, 2);
  EXPECT_EQ(starts(slow.client), 2u);
}

TEST_F(HeldBackTest, AsksForTheModeAndTheLimitOfTheConfiguration) {
  const auto asked = [this](const std::string& lines) {
    configure(lines);
    Recorder client;
    run({"mode:", "out: ", "memory_limit:"}, client);
    return client.out();
  };
  EXPECT_EQ(asked("isolation = 'resident'\n"), "resident 0");
  EXPECT_EQ(asked("isolation = 'resident'\nmemory_limit = '8GiB'\n"), "resident 8589934592");
  EXPECT_EQ(asked(""), "fork 0");
}

TEST_F(RunPumpTest, ARunInAForkDoesNotStartOver) {
  Recorder client;
  EXPECT_EQ(run({"out:x", "start_over:never"}, client).exit_code, 112);
  EXPECT_EQ(client.all<event::Started>().size(), 1u);
}

}  // namespace
}  // namespace stest
