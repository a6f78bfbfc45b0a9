#include "daemon/service.hpp"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

/// Runs go on one after the other.
class ServiceTest : public ServiceFixture {
 protected:
  ServiceTest() { configure("concurrency = 1\n"); }
};

/// What the daemon's main loop does.
void serve_until_end(Service& service) {
  for (auto next = service.next_step(); !next.end; next = service.next_step()) {
    pollfd polled{service.wake_fd(), POLLIN, 0};
    ::poll(&polled, 1, next.wait ? static_cast<int>(next.wait->count()) : -1);
  }
}

TEST_F(ServiceTest, RefusesBadRequests) {
  auto relative = request({});
  relative.cwd = "tests";
  EXPECT_EQ(service().admit(relative).error().code, ErrorCode::bad_request);
  configure("unknown = 1\n");
  EXPECT_EQ(service().admit(request({})).error().code, ErrorCode::config);
  EXPECT_TRUE(service().status()["runs"].empty());
}

TEST_F(ServiceTest, TellsItsState) {
  const auto status = service().status();
  EXPECT_EQ(status["state"], "idle");
  EXPECT_EQ(status["version"], "1.2.3");
  EXPECT_EQ(status["pid"], getpid());
  EXPECT_EQ(status["root"], project.path().string());
  EXPECT_EQ(status["endpoint"]["socket"], "/run/daemon.sock");
  EXPECT_TRUE(status["last_result"].is_null());
  EXPECT_EQ(read_status(project.path() / "status.json")->state, "idle");
}

TEST_F(ServiceTest, KeepsTheLastResult) {
  run({"phase:returned", "exit:1"});
  const auto last = service().status()["last_result"];
  EXPECT_EQ(last["id"], 1);
  EXPECT_EQ(last["exit_code"], 1);
  EXPECT_EQ(last["outcome"], "failed");
  const auto status = read_status(project.path() / "status.json");
  EXPECT_EQ(nlohmann::json::parse(status->last_result), last);
  EXPECT_EQ(status->state, "idle");
}

TEST_F(ServiceTest, KeepsTheNoticesOfTheLastRun) {
  run({R"(event:{"event":"notice","text":"reloaded a","reloaded":["a"]})"});
  EXPECT_EQ(service().status()["last_result"]["notice"],
            (nlohmann::json::array({nothing_loaded, "reloaded a"})));
  run({"out:ok"});
  EXPECT_EQ(service().status()["last_result"]["notice"], nlohmann::json::array());
}

TEST_F(ServiceTest, IsIdleBeforeTheClientHearsOfTheEnd) {
  const auto ticket = service().admit(request({"out:ok"})).value();
  std::string state;
  service().run(*ticket, {[&](const Event& event) {
                            if (std::holds_alternative<event::Done>(event)) state = status_state();
                            return true;
                          },
                          [] { return true; }});
  EXPECT_EQ(state, "idle");
}

TEST_F(ServiceTest, RunsOneAfterAnother) {
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  BackgroundRun second(service(), request({"interruptible:2"}));
  second.client.await<event::Queued>([](const auto& queued) { return queued.position == 1; });
  BackgroundRun third(service(), request({"out:third"}));
  third.client.await<event::Queued>([](const auto& queued) { return queued.position == 2; });
  EXPECT_EQ(service().status()["runs"].size(), 3u);
  const auto runs = service().status()["runs"];
  EXPECT_EQ(runs[0]["state"], "running");
  EXPECT_EQ(runs[0]["position"], 0);
  EXPECT_TRUE(runs[0]["started_at"].is_number());
  EXPECT_EQ(runs[2]["state"], "queued");
  EXPECT_EQ(runs[2]["position"], 2);
  EXPECT_TRUE(runs[2]["started_at"].is_null());
  EXPECT_EQ(status_state(), "running");
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
  EXPECT_EQ(first.done().exit_code, 2);
  third.client.await<event::Queued>([](const auto& queued) { return queued.position == 1; });
  second.client.await<event::Output>();
  ASSERT_TRUE(service().cancel(second.id, CancelHow::interrupt));
  EXPECT_EQ(second.done().exit_code, 2);
  EXPECT_EQ(third.done().exit_code, 0);
}

TEST_F(ServiceTest, TellsWhoWaitsWhatRuns) {
  BackgroundRun first(
      service(),
      request({R"(event:{"event":"test","nodeid":"t::a","when":"start","outcome":"","duration_s":0})",
               "interruptible:2"}));
  BackgroundRun second(service(), request({"out:second"}));
  second.client.await<event::Queued>([&](const auto& queued) {
    return queued.running.size() == 1 && queued.running[0].id == first.id &&
           queued.running[0].nodeid == "t::a";
  });
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(ServiceTest, RefusesWhoDoesNotWantToWait) {
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  auto hasty = request({"out:never"});
  hasty.wait = false;
  EXPECT_EQ(service().admit(hasty).error().code, ErrorCode::busy);
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
  first.join();
  EXPECT_TRUE(service().admit(hasty));
}

TEST_F(ServiceTest, RunsTwoAtOnceIfAllowed) {
  configure("concurrency = 2\n");
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  Recorder second;
  EXPECT_EQ(run({"out:ok"}, second).exit_code, 0);
  EXPECT_TRUE(second.all<event::Queued>().empty());
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(ServiceTest, DropsAQueuedRunWhoseClientVanished) {
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  BackgroundRun second(service(), request({"out:never"}));
  second.client.await<event::Queued>();
  second.client.go_away();
  second.join();
  EXPECT_EQ(service().status()["runs"].size(), 1u);
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(ServiceTest, CancelsAQueuedRun) {
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  BackgroundRun second(service(), request({"out:never"}));
  second.client.await<event::Queued>();
  ASSERT_TRUE(service().cancel(second.id, CancelHow::interrupt));
  EXPECT_EQ(second.done().exit_code, 107);
  EXPECT_EQ(second.client.out(), "");
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(ServiceTest, KnowsNoRunThatIsOver) {
  run({"out:ok"});
  EXPECT_EQ(service().cancel(1, CancelHow::kill).error().code, ErrorCode::not_found);
}

TEST_F(ServiceTest, ATicketThatIsNeverRunLeavesTheQueue) {
  { const auto dropped = service().admit(request({})).value(); }
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
}

TEST_F(ServiceTest, StopsNow) {
  BackgroundRun running(service(), request({"out:x", "sleep:60"}));
  running.client.await<event::Output>();
  BackgroundRun queued(service(), request({"out:never"}));
  queued.client.await<event::Queued>();
  service().stop(StopWhen::now);
  EXPECT_EQ(running.done().message, "the run was cancelled: stest's daemon was stopped");
  EXPECT_EQ(queued.done().exit_code, 107);
  serve_until_end(service());
  service().shut_down();
  EXPECT_TRUE(descendants(getpid()).empty());
  EXPECT_FALSE(std::filesystem::exists(project.path() / "status.json"));
}

TEST_F(ServiceTest, StopsRunsThatIgnoreIt) {
  BackgroundRun running(service(), request({"ignore:15", "out:x", "sleep:60"}));
  running.client.await<event::Output>();
  service().shut_down();
  EXPECT_EQ(running.done().outcome, Outcome::cancelled);
  EXPECT_TRUE(descendants(getpid()).empty());
}

TEST_F(ServiceTest, StopsAWorkerThatIsStillImporting) {
  configure("preload = ['slow']\n");
  env["FAKE_SLOW"] = "60";
  BackgroundRun waiting(service(), request({"out:never"}));
  waiting.client.await<event::Warming>([](const auto& warming) { return warming.module == "slow"; });
  service().shut_down();
  EXPECT_EQ(waiting.done().outcome, Outcome::cancelled);
  EXPECT_EQ(read_text(project.path() / "preload.json").find("died while importing"), std::string::npos);
}

TEST_F(ServiceTest, StopsWhenIdle) {
  BackgroundRun running(service(), request({"out:x", "sleep:0.3"}));
  running.client.await<event::Output>();
  service().stop(StopWhen::idle);
  EXPECT_EQ(status_state(), "stopping");
  EXPECT_EQ(service().admit(request({})).error().code, ErrorCode::daemon_unavailable);
  EXPECT_FALSE(service().next_step().end);
  serve_until_end(service());
  EXPECT_EQ(running.done().exit_code, 0);
}

TEST_F(ServiceTest, EndsWhenItWasIdleForLong) {
  configure("idle_timeout = '300ms'\n");
  std::thread loop([&, &running = service()] { serve_until_end(running); });
  run({"out:ok"});
  EXPECT_FALSE(service().status()["worker"].is_null());
  await([&] { return service().status()["worker"].is_null(); }, "the worker's release");
  loop.join();
  EXPECT_EQ(status_state(), "stopping");
}

/// A service that is told, soon after, whether it is of use.
class UsefulServiceTest : public ServiceFixture {
 protected:
  Service::Options options() override {
    auto options = ServiceFixture::options();
    options.why_useless = [this] {
      ++asked;
      return is_useless ? std::optional<std::string>("told so") : std::nullopt;
    };
    options.use_interval = std::chrono::milliseconds(10);
    return options;
  }

  std::atomic<int> asked = 0;
  std::atomic<bool> is_useless = false;
};

TEST_F(UsefulServiceTest, EndsWhenIdleAndOfNoUse) {
  std::thread loop([&, &running = service()] { serve_until_end(running); });
  await([&] { return asked > 2; }, "further questions, without an event");
  EXPECT_EQ(status_state(), "idle");
  is_useless = true;
  loop.join();
  EXPECT_EQ(status_state(), "stopping");
}

TEST_F(UsefulServiceTest, ARunIsNotDisturbed) {
  BackgroundRun running(service(), request({"out:x", "sleep:0.3"}));
  running.client.await<event::Output>();
  is_useless = true;
  std::thread loop([&, &served = service()] { serve_until_end(served); });
  EXPECT_EQ(running.done().exit_code, 0);
  loop.join();
}

TEST_F(ServiceTest, TellsTheMemoryOfEachProcess) {
  BackgroundRun running(service(), request({"out:x", "sleep:1"}));
  running.client.await<event::Output>();
  const auto status = service().status();
  std::map<std::string, nlohmann::json> by_role;
  for (const auto& process : status["processes"]) by_role[process["role"]] = process;
  EXPECT_EQ(by_role["daemon"]["pid"], getpid());
  EXPECT_EQ(by_role["worker"]["pid"], status["worker"]["pid"]);
  EXPECT_GT(by_role["worker"]["bytes"], 0u);
}

TEST_F(ServiceTest, RenewsAWorkerThatHasServedManyRuns) {
  configure("idle_timeout = '1200ms'\n");
  const auto worker = [this] { return service().status()["worker"]; };
  std::thread loop([&, &running = service()] { serve_until_end(running); });
  run({"out:ok"});
  const auto first = worker()["pid"];
  for (int i = 1; i < runs_before_renewal; ++i) run({"out:ok"});
  await([&] { return !worker().is_null() && worker()["pid"] != first && worker()["state"] == "ready"; },
        "another worker");
  EXPECT_EQ(run({"out:ok"}).exit_code, 0);
  service().stop(StopWhen::idle);
  loop.join();
}

TEST_F(ServiceTest, ServesManyClientsAtOnce) {
  std::vector<std::unique_ptr<BackgroundRun>> runs;
  for (int i = 0; i < 20; ++i) {
    runs.push_back(std::make_unique<BackgroundRun>(service(), request({"out:" + std::to_string(i)})));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(runs[static_cast<std::size_t>(i)]->done().exit_code, 0);
    EXPECT_EQ(runs[static_cast<std::size_t>(i)]->client.out(), std::to_string(i));
  }
}

TEST_F(ServiceTest, TellsOnceOfAProcessThatWasLeftBehind) {
  SpawnOptions sleep;
  sleep.executable = "/bin/sleep";
  sleep.args = {"60"};
  const int pid = children.spawn(sleep).value();
  env["FAKE_LEFT"] = std::to_string(pid);
  Recorder first;
  run({"out:ok"}, first);
  EXPECT_NE(first.notice().find("the tests have left a process running: pid " + std::to_string(pid)),
            std::string::npos)
      << first.notice();
  const auto expected = nlohmann::json::array({{{"pid", pid}, {"command", "a daemon"}, {"run", 1}}});
  EXPECT_EQ(service().status()["left_behind"], expected);
  Recorder second;
  run({"out:ok"}, second);
  EXPECT_EQ(second.notice(), "");
  children.signal(pid, SIGKILL);
  children.wait(pid);
  EXPECT_TRUE(service().status()["left_behind"].empty());
}

}  // namespace
}  // namespace stest
