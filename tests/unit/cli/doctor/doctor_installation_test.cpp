#include "cli/doctor/doctor_installation.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/version.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Grade = Finding::Grade;

/// An installation whose programs are scripts.
class DoctorInstallationTest : public testing::Test {
 protected:
  std::filesystem::path script(const std::string& name, const std::string& body) const {
    const auto file = folder_.write(name, "#!/bin/sh\n" + body + "\n");
    ::chmod(file.c_str(), 0700);
    return file;
  }
  Project project() const {
    return {folder_.path(), current_environment(), runtime_paths(folder_.path(), {})};
  }
  Result<WorkerFacts> probe(const std::string& body, const Config& config = {}) const {
    return probe_worker({{script("stest-worker", body)}, "/py", {"torch", "numpy"}}, project(), config);
  }

  TemporaryFolder folder_;
};

TEST_F(DoctorInstallationTest, ProgramsOfOneVersion) {
  const auto version = "echo " + std::string(stest_version());
  script("stestd", version);
  EXPECT_EQ(check_programs(folder_.path()).grade, Grade::failure);  // No worker.
  script("stest-worker", version);
  EXPECT_EQ(check_programs(folder_.path()).grade, Grade::ok);
  script("stest-worker", "echo 0.0.7");
  const auto found = check_programs(folder_.path());
  EXPECT_EQ(found.grade, Grade::failure);
  EXPECT_NE(found.detail.find("stest-worker has 0.0.7"), std::string::npos) << found.detail;
  EXPECT_NE(found.remedy.find("from where you had it"), std::string::npos);
  script("stestd", "echo libx.so.1 is missing >&2; exit 127");
  EXPECT_NE(check_programs(folder_.path()).detail.find("exit code 127, and wrote: libx.so.1 is missing"),
            std::string::npos);
}

TEST_F(DoctorInstallationTest, Python) {
  const auto facts = ask_python("/usr/bin/python3", current_environment());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->prefix, "/usr");
  EXPECT_EQ(check_python("/usr/bin/python3", facts).grade, Grade::ok);
  const auto broken = ask_python(script("python", "echo No module named encodings >&2; exit 1"), {});
  EXPECT_NE(check_python("x", broken).detail.find("encodings"), std::string::npos);
  EXPECT_EQ(check_python("x", ask_python("/no/python", {})).grade, Grade::failure);
}

TEST_F(DoctorInstallationTest, Pytest) {
  EXPECT_EQ(check_pytest({"3.11.7", "/v", "8.3.4", "", true}).grade, Grade::ok);
  EXPECT_EQ(check_pytest({"3.11.7", "/v", "6.2.5", "", true}).detail, "6.2.5 is older than 7");
  const auto found =
      check_pytest({"3.11.7", "/v", "", "ModuleNotFoundError: No module named 'pytest'", true});
  EXPECT_EQ(found.detail, "cannot be imported: ModuleNotFoundError: No module named 'pytest'");
  EXPECT_EQ(found.remedy, "python -m pip install pytest");
}

TEST_F(DoctorInstallationTest, WorkerOfTheEnvironmentsPython) {
  const PythonFacts python{"3.11.7", "/v", "8.0", "", true};
  EXPECT_EQ(check_worker(WorkerFacts{"3.11.7", "/v", ""}, python).grade, Grade::ok);
  EXPECT_EQ(check_worker(WorkerFacts{"3.11.7", "/usr", ""}, python).grade, Grade::failure);
  EXPECT_EQ(check_worker(WorkerFacts{"3.11.8", "/v", ""}, python).grade, Grade::failure);
  EXPECT_EQ(check_worker(WorkerFacts{"3.11.7", "/v", "a fork hangs"}, python).detail, "a fork hangs");
}

TEST_F(DoctorInstallationTest, ProbeOfAWorker) {
  const auto worker =
      probe(R"(echo "$*" > args; echo '{"python": "3.1", "prefix": "/p", "unhealthy": "x hangs"}'; exit 1)");
  ASSERT_TRUE(worker) << worker.error().message;
  EXPECT_EQ(worker->prefix, "/p");
  EXPECT_EQ(worker->unhealthy, "x hangs");
  EXPECT_EQ(read_text(folder_.path() / "args"),
            "--probe --python /py --root " + folder_.path().string() + " torch numpy\n");
}

TEST_F(DoctorInstallationTest, ProbeThatFails) {
  EXPECT_NE(probe("echo no libpython >&2; exit 127").error().message.find("no libpython"), std::string::npos);
  Config hasty;
  hasty.worker_timeout = std::chrono::milliseconds(200);
  EXPECT_NE(probe("sleep 100", hasty).error().message.find("did not end in time"), std::string::npos);
  EXPECT_NE(probe("kill -SEGV $$").error().message.find("SIGSEGV"), std::string::npos);
}

TEST_F(DoctorInstallationTest, ModulesToPreload) {
  Config config;
  config.preload = {"torch"};
  const auto file = folder_.path() / "preload.json";
  EXPECT_EQ(modules_to_preload(file, config), std::vector<std::string>{"torch"});
  folder_.write("preload.json", R"({"learned": ["numpy", "a.b"]})");
  EXPECT_EQ(modules_to_preload(file, config), (std::vector<std::string>{"torch", "numpy", "a.b"}));
  folder_.write("preload.json", "rubbish");
  EXPECT_EQ(modules_to_preload(file, config), std::vector<std::string>{"torch"});
}

TEST_F(DoctorInstallationTest, Forks) {
  EXPECT_EQ(check_forks(WorkerFacts{}, 0).grade, Grade::ok);
  EXPECT_EQ(check_forks(WorkerFacts{}, 3).detail, "forks are healthy with 3 modules imported");
  EXPECT_EQ(check_forks(WorkerFacts{"3", "/", "bad starts a thread"}, 3).grade, Grade::warning);
  EXPECT_EQ(check_forks(tl::unexpected(Error{ErrorCode::worker_failed, "died", ""}), 1).grade,
            Grade::failure);
}

TEST_F(DoctorInstallationTest, DaemonThatIsNone) {
  const auto paths = project().paths;
  EXPECT_EQ(check_daemon(paths, {}).grade, Grade::ok);
  ASSERT_TRUE(ensure_directories(paths));
  auto lock = FileLock::try_acquire(paths.lock_file);
  ASSERT_TRUE(lock && *lock);
  ASSERT_TRUE((*lock)->write_holder(4711));
  const auto found = check_daemon(paths, {});
  EXPECT_EQ(found.grade, Grade::failure);
  EXPECT_NE(found.detail.find("4711"), std::string::npos);
  lock->reset();
  EXPECT_EQ(check_daemon(paths, {}).grade, Grade::ok);
}

TEST_F(DoctorInstallationTest, DaemonThatDoesNotAnswer) {
  const auto paths = project().paths;
  ASSERT_TRUE(ensure_directories(paths));
  DaemonStatus status;
  status.process = identify(getpid()).value();
  status.endpoint.socket = paths.socket.string();
  ASSERT_TRUE(write_status(paths.status_file, status));
  EXPECT_EQ(check_daemon(paths, {}).grade, Grade::failure);
}

TEST_F(DoctorInstallationTest, Configuration) {
  EXPECT_EQ(check_configuration(Config{}).grade, Grade::ok);
  const auto found = check_configuration(fail(ErrorCode::config, "pyproject.toml:2: bad", "Accepted: …"));
  EXPECT_EQ(found.detail, "pyproject.toml:2: bad");
  EXPECT_EQ(found.remedy, "Accepted: …");
}

}  // namespace
}  // namespace stest
