#include "daemon/worker/worker_manager.hpp"

#include <climits>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>

#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

/// Through the service, which is how runs come to a worker.
class WorkerManagerTest : public ServiceFixture {
 protected:
  int worker_pid() { return service().status()["worker"]["pid"].get<int>(); }

  std::vector<std::string> preloaded() {
    std::vector<std::string> names;
    const auto status = service().status();
    for (const auto& row : status["worker"]["preloaded"]) names.push_back(row["module"]);
    return names;
  }

  /// What a run says at its end.
  static std::string imported(const std::vector<std::string>& modules,
                              const std::vector<std::string>& path = {"/src"}) {
    return "event:" + nlohmann::json{{"event", "imported"}, {"modules", modules}, {"path", path}}.dump();
  }

  /// The notice of a run that does nothing.
  std::string notice() {
    Recorder client;
    EXPECT_EQ(run({"out:ok"}, client).exit_code, 0) << client.done().message << "\n" << client.done().hint;
    return client.notice();
  }

  /// The same of one that has to be done cold.
  std::string cold_notice() {
    Recorder client;
    EXPECT_EQ(run({"out:ok"}, client).exit_code, 112);
    EXPECT_EQ(client.out(), "");
    return client.notice();
  }
};

TEST_F(WorkerManagerTest, StartsOnceAndStaysWarm) {
  EXPECT_TRUE(service().status()["worker"].is_null());
  EXPECT_EQ(notice(), first_notice);
  const int pid = worker_pid();
  EXPECT_EQ(notice(), "");
  EXPECT_EQ(worker_pid(), pid);
}

TEST_F(WorkerManagerTest, PreloadsInOrderAndSaysSo) {
  configure("preload = ['torch', 'numpy']\n");
  env["FAKE_SLOW"] = "0.05";
  Recorder client;
  run({"out:ok"}, client);
  EXPECT_EQ(preloaded(), (std::vector<std::string>{"torch", "numpy"}));
  std::vector<std::string> warming;
  for (const auto& event : client.all<event::Warming>()) {
    if (event.module.empty()) continue;  // It starts, which may take less time than to say so.
    if (warming.empty() || warming.back() != event.module) warming.push_back(event.module);
  }
  EXPECT_EQ(warming, (std::vector<std::string>{"torch", "numpy"}));
}

TEST_F(WorkerManagerTest, ExpectsAStartToTakeAsLongAsTheLastOne) {
  configure("preload = ['torch', 'numpy']\n");
  env["FAKE_SLOW"] = "0.3";
  Recorder first, second;
  run({"out:ok"}, first);
  for (const auto& warming : first.all<event::Warming>()) EXPECT_FALSE(warming.expected_s);
  env["OMP_NUM_THREADS"] = "3";
  run({"out:ok"}, second);
  const auto warming = second.all<event::Warming>();
  EXPECT_TRUE(std::any_of(warming.begin(), warming.end(), [](const auto& event) {
    return event.module == "torch" && event.expected_s.value_or(0) > event.elapsed_s;
  }));
}

TEST_F(WorkerManagerTest, KeepsAWorkerForEachValueOfAVariableOfAFamily) {
  notice();
  const auto first = worker_pid();
  env["OMP_NUM_THREADS"] = "3";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
  const auto others = service().status()["other_workers"];
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(others[0]["pid"], first);
  EXPECT_EQ(others[0]["differs"], "OMP_NUM_THREADS changed from 3 to unset");
  env.erase("OMP_NUM_THREADS");
  EXPECT_EQ(notice(), "");
  EXPECT_EQ(worker_pid(), first);
}

TEST_F(WorkerManagerTest, EndsTheLeastRecentlyUsedWorkerIfThereAreTooMany) {
  for (const auto* threads : {"1", "2", "3", "1", "4"}) {
    env["OMP_NUM_THREADS"] = threads;
    notice();
  }
  EXPECT_EQ(service().status()["other_workers"].size(), 2u);
  env["OMP_NUM_THREADS"] = "1";
  EXPECT_EQ(notice(), "");
  env["OMP_NUM_THREADS"] = "2";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from 1 to 2\n");
}

TEST_F(WorkerManagerTest, ThereIsOneWorkerOfResidentRuns) {
  configure("isolation = 'resident'\n");
  notice();
  env["OMP_NUM_THREADS"] = "3";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
  EXPECT_EQ(service().status()["other_workers"].size(), 0u);
}

TEST_F(WorkerManagerTest, ThereIsOneWorkerIfMoreWouldTakeTooMuchMemory) {
  memory = 1;
  notice();
  env["OMP_NUM_THREADS"] = "3";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
  EXPECT_EQ(service().status()["other_workers"].size(), 0u);
}

TEST_F(WorkerManagerTest, AnotherKeyDoesNotWaitForTheRunsOfTheFirst) {
  configure("concurrency = 2\n");
  BackgroundRun first(service(), request({"interruptible:30"}));
  first.client.await<event::Output>();
  env["OMP_NUM_THREADS"] = "3";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(WorkerManagerTest, StartsAnotherWorkerForAVariableThatWasRead) {
  env["FAKE_READS"] = "MODE";
  notice();
  env["OTHER"] = "1";
  EXPECT_EQ(notice(), "");
  env["MODE"] = "1";
  EXPECT_EQ(notice(), "started another worker: MODE changed from unset to 1 (library read it)\n");
}

TEST_F(WorkerManagerTest, RestartsWhenPackagesChange) {
  project.write("site/a.pth", "");
  env["FAKE_SITE"] = (project.path() / "site").string();
  notice();
  EXPECT_EQ(notice(), "");
  const auto file = project.write("site/a.pth", "x");
  EXPECT_EQ(notice(), "restarted worker: " + file.string() + " changed\n");
}

TEST_F(WorkerManagerTest, RestartsWhenAModulesFileChanges) {
  const auto file = project.write("module.py", "");
  env["FAKE_FILE"] = file.string();
  notice();
  EXPECT_EQ(notice(), "");
  project.write("module.py", "x = 1");
  EXPECT_EQ(notice(), "restarted worker: fake changed (" + file.string() + ")\n");
  std::filesystem::remove(file);
}

TEST_F(WorkerManagerTest, RestartsForAnEditAfterWhichTimeAndSizeAreSetBack) {
  const auto file = project.write("module.py", "a = 1");
  env["FAKE_FILE"] = file.string();
  notice();
  const auto time = std::filesystem::last_write_time(file);
  const auto before = file_state(file);
  project.write("module.py", "a = 2");
  std::filesystem::last_write_time(file, time);
  EXPECT_EQ(file_state(file).mtime_ns, before.mtime_ns);
  EXPECT_EQ(notice(), "restarted worker: fake changed (" + file.string() + ")\n");
}

TEST_F(WorkerManagerTest, AnswersWhileItLooksAtFiles) {
  std::promise<void> is_looking, may_go_on;
  bool is_first = true;
  WorkerManager manager(
      program(), children, [] {},
      [&](const LoadedFiles& loaded) {
        if (std::exchange(is_first, false)) {
          is_looking.set_value();
          may_go_on.get_future().wait();
        }
        return changed_since(loaded);
      });
  const stest::Run run{1, request({}), load_config(project.path(), env).value(), 0, {}, {}};
  Recorder client;
  std::thread acquiring([&] { EXPECT_TRUE(manager.acquire(run, client.listener())); });
  is_looking.get_future().wait();
  EXPECT_TRUE(manager.describe().is_object());
  EXPECT_TRUE(manager.is_warming() || manager.describe()["state"] == "ready");
  may_go_on.set_value();
  acquiring.join();
}

TEST_F(WorkerManagerTest, RestartsForAnotherPreloadList) {
  notice();
  configure("preload = ['torch']\n");
  EXPECT_EQ(notice(), "restarted worker: the configured preload list changed\n");
}

TEST_F(WorkerManagerTest, RestartsAWorkerThatIsTooLarge) {
  configure("memory_limit = '1MiB'\n");
  notice();
  EXPECT_NE(notice().find("memory_limit is 1 MiB"), std::string::npos);
}

TEST_F(WorkerManagerTest, RestartsAWorkerThatDied) {
  notice();
  const int pid = worker_pid();
  ::kill(pid, SIGKILL);
  await([&] { return service().status()["worker"].is_null(); }, "the news of its death");
  EXPECT_EQ(notice(), "restarted worker: it died by SIGKILL (signal 9)\n");
}

TEST_F(WorkerManagerTest, GoesOnWithoutAnNotPreloadableModule) {
  configure("preload = ['good', 'bad', 'bad.part']\n");
  env["FAKE_NOT_PRELOADABLE"] = "bad";
  EXPECT_EQ(notice(), "restarted worker: bad cannot be preloaded: it starts threads\n" + first_notice);
  EXPECT_EQ(preloaded(), std::vector<std::string>{"good"});
  EXPECT_NE(read_text(project.path() / "preload.json").find("it starts threads"), std::string::npos);
}

TEST_F(WorkerManagerTest, LeavesOutAModuleThatKills) {
  configure("preload = ['good', 'fatal']\n");
  env["FAKE_FATAL"] = "fatal";
  EXPECT_EQ(notice(),
            "restarted worker: it died by SIGSEGV (signal 11) while importing fatal\n" + first_notice);
  EXPECT_EQ(preloaded(), std::vector<std::string>{"good"});
}

TEST_F(WorkerManagerTest, LeavesOutAModuleWhoseImportDoesNotEnd) {
  configure("preload = ['good', 'endless']\nworker_timeout = '2s'\n");
  env["FAKE_ENDLESS"] = "endless";
  EXPECT_EQ(notice(), "restarted worker: endless cannot be preloaded: its import did not end within 2 s\n" +
                          first_notice);
  EXPECT_EQ(preloaded(), std::vector<std::string>{"good"});
  EXPECT_NE(read_text(project.path() / "preload.json").find("did not end within 2 s"), std::string::npos);
  EXPECT_EQ(notice(), "");
}

TEST_F(WorkerManagerTest, ReplacesAWorkerThatDoesNotBeginTheRun) {
  configure("worker_timeout = '1s'\n");
  notice();
  ::kill(worker_pid(), SIGSTOP);
  EXPECT_EQ(notice(), "restarted worker: it did not answer for 1 s\n");
  EXPECT_EQ(notice(), "");
}

TEST_F(WorkerManagerTest, TellsARunThatItsWorkerStoppedAnswering) {
  configure("worker_timeout = '1s'\n");
  BackgroundRun slow(
      service(),
      request({R"(event:{"event":"test","nodeid":"t.py::a","when":"start","outcome":"","duration_s":0})",
               "interruptible:2"}));
  slow.client.await<event::Test>();
  ::kill(worker_pid(), SIGSTOP);
  EXPECT_EQ(slow.done().exit_code, 104);
  EXPECT_EQ(slow.done().message,
            "stest's worker did not answer for 1 s and was killed while running t.py::a");
}

TEST_F(WorkerManagerTest, AWorkerThatAnswersHasAllTheTimeThatItsRunTakes) {
  configure("worker_timeout = '300ms'\n");
  notice();
  EXPECT_EQ(run({"sleep:2"}).exit_code, 0);
}

TEST_F(WorkerManagerTest, DoesWithoutAWorkerThatDiesAtOnce) {
  env["FAKE_DIE"] = "1";
  const std::string cold = "stest's worker ended with exit status 1 before it was ready: ran cold\n";
  EXPECT_EQ(cold_notice(), cold);
  EXPECT_EQ(cold_notice(), cold);  // It would come to the same: none is started again.
  env.erase("FAKE_DIE");
  EXPECT_EQ(notice(), "restarted worker: it ended with exit status 1\n");
}

TEST_F(WorkerManagerTest, OneThatIsUnableIsTriedAgainWhenPackagesHaveChanged) {
  const auto site = project.path() / "site", unable = project.path() / "unable";
  std::filesystem::create_directory(site);
  env["FAKE_SITE"] = site.string();
  env["FAKE_UNABLE"] = unable.string();
  project.write("unable", "pytest has no _such");
  const std::string cold = "stest's worker cannot serve: pytest has no _such: ran cold\n";
  EXPECT_EQ(cold_notice(), cold);
  EXPECT_EQ(cold_notice(), cold);
  std::filesystem::remove(unable);
  EXPECT_EQ(cold_notice(), cold);
  project.write("site/more.pth", "");
  EXPECT_EQ(notice(), "restarted worker: it ended with exit status 1\n");
  EXPECT_EQ(notice(), "");
}

TEST_F(WorkerManagerTest, RefusesAnotherProtocol) {
  env["FAKE_PROTOCOL"] = "99";
  const auto done = run({"out:ok"});
  EXPECT_EQ(done.exit_code, 112);
  EXPECT_NE(done.message.find("version 99"), std::string::npos);
}

TEST_F(WorkerManagerTest, LearnsWhileIdle) {
  run({imported({"a", "b"})});
  await([&] { return preloaded().size() == 2; }, "the preloading");
  EXPECT_EQ(notice(), "");
  run({imported({"b", "c"})});
  await([&] { return preloaded().size() == 3; }, "the preloading");
  EXPECT_EQ(preloaded(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(WorkerManagerTest, ARunWaitsForThePreloading) {
  env["FAKE_SLOW"] = "0.3";
  run({imported({"slow"})});
  Recorder client;
  run({"out:ok"}, client);
  EXPECT_EQ(client.notice(), "");
  EXPECT_FALSE(client.all<event::Warming>().empty());
  EXPECT_EQ(preloaded(), std::vector<std::string>{"slow"});
}

TEST_F(WorkerManagerTest, AFatalModuleIsNotTriedAgain) {
  env["FAKE_FATAL"] = "fatal";
  run({imported({"good", "fatal"})});
  await([&] { return service().status()["worker"].is_null(); }, "the death while idle");
  EXPECT_EQ(notice(), "restarted worker: it died by SIGSEGV (signal 11) while importing fatal\n");
  await([&] { return preloaded() == std::vector<std::string>{"good"}; }, "the preloading");
}

TEST_F(WorkerManagerTest, TriesOutWhatWasLearnedOnceAModuleProvedNotPreloadableWhenNoRunWaits) {
  const auto log = env["FAKE_LOG"] = (project.path() / "worker.jsonl").string();
  env["FAKE_NOT_PRELOADABLE"] = "bad";
  run({imported({"good", "bad"})});
  await([&] { return service().status()["worker"].is_null(); }, "the end while idle");
  EXPECT_EQ(notice(), "restarted worker: bad cannot be preloaded: it starts threads\n");
  await([&] { return preloaded() == std::vector<std::string>{"good"}; }, "the preloading");
  EXPECT_NE(read_text(log).find(R"("not_preloadable": [{"name": "bad")"), std::string::npos);

  std::filesystem::remove(log);
  env["OMP_NUM_THREADS"] = "3";
  EXPECT_EQ(notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
  EXPECT_NE(read_text(log).find(R"("not_preloadable": [])"), std::string::npos) << "imported before";
}

TEST_F(WorkerManagerTest, AWaitingRunCanBeCancelled) {
  configure("preload = ['slow']\n");
  env["FAKE_SLOW"] = "60";
  BackgroundRun waiting(service(), request({"out:never"}));
  waiting.client.await<event::Warming>([](const auto& warming) { return warming.module == "slow"; });
  EXPECT_EQ(status_state(), "warming");
  ASSERT_TRUE(service().cancel(waiting.id, CancelHow::interrupt));
  EXPECT_EQ(waiting.done().outcome, Outcome::cancelled);
}

TEST_F(WorkerManagerTest, OnlyARunThatHadToImportTheModulesItselfWaitsForThem) {
  env["FAKE_SLOW"] = "1";
  const auto teaching = imported({"slow"});
  run({teaching});
  await([&] { return service().status()["worker"]["importing"] == "slow"; }, "the import");
  auto other = request({"out:ok"});
  other.cold_pid = INT_MAX;  // No process: nobody makes a cold run.
  Recorder client;
  EXPECT_EQ(run(other, client).exit_code, 112);
  EXPECT_NE(client.notice().find("the worker imports slow"), std::string::npos) << client.notice();
  auto same = request({teaching});
  same.cold_pid = INT_MAX;
  Recorder waiting;
  EXPECT_EQ(run(same, waiting).exit_code, 0);
  EXPECT_FALSE(waiting.all<event::Warming>().empty());
}

TEST_F(WorkerManagerTest, AnotherKeyWaitsForTheRunsOfTheFirstIfTheyAreTooManyWorkers) {
  configure("concurrency = 2\n");
  most_workers = 1;
  BackgroundRun first(service(), request({"out:first", "sleep:0.5"}));
  first.client.await<event::Output>();
  env["OMP_NUM_THREADS"] = "3";
  Recorder second;
  run({"out:second"}, second);
  EXPECT_EQ(first.done().exit_code, 0);
  EXPECT_EQ(second.done().exit_code, 0);
  EXPECT_EQ(second.notice(), "started another worker: OMP_NUM_THREADS changed from unset to 3\n");
}

TEST_F(WorkerManagerTest, AnotherKeyIsRefusedIfItDoesNotWantToWait) {
  configure("concurrency = 2\n");
  most_workers = 1;
  BackgroundRun first(service(), request({"interruptible:2"}));
  first.client.await<event::Output>();
  env["OMP_NUM_THREADS"] = "3";
  auto hasty = request({"out:never"});
  hasty.wait = false;
  Recorder second;
  const auto done = run(hasty, second);
  EXPECT_EQ(done.exit_code, static_cast<int>(ExitCode::busy));
  EXPECT_NE(done.message.find("OMP_NUM_THREADS changed"), std::string::npos) << done.message;
  EXPECT_EQ(second.out(), "");
  ASSERT_TRUE(service().cancel(first.id, CancelHow::interrupt));
}

TEST_F(WorkerManagerTest, StartsInTheRootWhereTheFolderIsGone) {
  auto lost = request({"exit:0"});
  lost.cwd = (project.path() / "gone").string();
  Recorder client;
  EXPECT_EQ(run(lost, client).exit_code, 112);
  EXPECT_EQ(client.notice(),
            first_notice + "the tests' process ended with exit status 1 before pytest started: ran cold\n");
}

TEST_F(WorkerManagerTest, TellsTheWorkerWhereToLookForWhatWasLearned) {
  env["FAKE_LOG"] = (project.path() / "worker.jsonl").string();
  run({imported({"a"}, {"/src", "/lib"})});
  await([&] { return preloaded().size() == 1; }, "the preloading");
  EXPECT_NE(read_text(env["FAKE_LOG"]).find(R"("path": ["/src", "/lib"])"), std::string::npos);
}

TEST_F(WorkerManagerTest, TellsTheWorkerWhatIsTheProjectsCode) {
  env["FAKE_LOG"] = (project.path() / "worker.jsonl").string();
  notice();
  project.write("lib/pkg/__init__.py", "");
  configure("ignore = ['mine.*', 'other']\ntarget_path = 'lib/pkg'\n");
  EXPECT_EQ(notice(), "restarted worker: what counts as the project's code changed\n");
  const auto target = (project.path() / "lib/pkg").string();
  EXPECT_NE(
      read_text(env["FAKE_LOG"]).find(R"("ignore": ["mine.*", "other"], "target_path": ")" + target + "\""),
      std::string::npos);
  EXPECT_EQ(notice(), "");
}

TEST_F(WorkerManagerTest, TellsOnceThatTheTargetDoesNotExist) {
  configure("target = 'lost'\n");
  EXPECT_EQ(notice(), first_notice +
                          "the target lost is neither in the project nor installed: code below the root that "
                          "is not installed counts as the project's code\n");
  EXPECT_EQ(notice(), "");
}

TEST_F(WorkerManagerTest, TellsOnceThatAnIgnoredModuleChanged) {
  const auto file = project.write("module.py", "");
  env["FAKE_FILE"] = file.string();
  env["FAKE_IGNORED"] = "1";
  notice();
  EXPECT_EQ(notice(), "");
  const int pid = worker_pid();
  const std::string expected =
      "fake changed, but `ignore` keeps the loaded copy: the tests see the old one; `stest restart` loads "
      "the new one\n";
  project.write("module.py", "x = 1");
  EXPECT_EQ(notice(), expected);
  EXPECT_EQ(notice(), "");
  project.write("module.py", "x = 1000");
  EXPECT_EQ(notice(), expected);
  EXPECT_EQ(notice(), "");
  std::filesystem::remove(file);
  EXPECT_EQ(notice(), expected);
  EXPECT_EQ(notice(), "");
  EXPECT_EQ(worker_pid(), pid);
}

}  // namespace
}  // namespace stest
