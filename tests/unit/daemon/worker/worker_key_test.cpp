#include "daemon/worker/worker_key.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

std::string why(const WorkerKey& running, const WorkerKey& wanted, const std::set<std::string>& reads = {}) {
  const auto found = difference(running, wanted, reads);
  return found ? found->text : "";
}

std::string why_env(const Environment& before, const Environment& now,
                    const std::set<std::string>& reads = {}) {
  return why({before, "/", {}, {}, {}}, {now, "/", {}, {}, {}}, reads);
}

TEST(WorkerKey, CountsTheFamiliesOfCLibraries) {
  for (const char* name :
       {"OMP_NUM_THREADS", "MKL_X", "CUDA_VISIBLE_DEVICES", "HF_HOME", "PYTHONPATH", "LD_PRELOAD", "LC_ALL",
        "LANG", "LANGUAGE", "TZ", "GLIBC_TUNABLES", "NCCL_DEBUG"}) {
    EXPECT_TRUE(always_counts(name)) << name;
    EXPECT_EQ(why_env({}, {{name, "1"}}), std::string(name) + " changed");
  }
  for (const char* name : {"LANGUAGES", "TZDIR", "HOME", "MY_OMP_X"})
    EXPECT_FALSE(always_counts(name)) << name;
}

TEST(WorkerKey, CountsWhatWasRead) {
  EXPECT_EQ(why_env({}, {{"MODE", "1"}}), "");
  EXPECT_EQ(why_env({}, {{"MODE", "1"}}, {"MODE"}), "MODE changed");
  EXPECT_EQ(why_env({{"MODE", "1"}}, {}, {"MODE"}), "MODE changed");
  EXPECT_EQ(why_env({{"MODE", "1"}}, {{"MODE", "1"}}, {"MODE"}), "");
}

TEST(WorkerKey, NeverCountsWhatChangesWithEachCommand) {
  for (const char* name :
       {"_", "SHLVL", "PWD", "OLDPWD", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES", "TERM", "TERM_PROGRAM"}) {
    EXPECT_EQ(why_env({}, {{name, "1"}}, {name}), "") << name;
  }
}

TEST(WorkerKey, NamesAFewOfMany) {
  EXPECT_EQ(why_env({}, {{"OMP_A", ""}, {"OMP_B", ""}, {"OMP_C", ""}, {"OMP_D", ""}, {"OMP_E", ""}}),
            "OMP_A, OMP_B, OMP_C and 2 more changed");
}

TEST(WorkerKey, CountsTheFolderWherePythonpathIsRelative) {
  const auto moved = [](const char* path) {
    const Environment env{{"PYTHONPATH", path}};
    return !why({env, "/a", {}, {}, {}}, {env, "/b", {}, {}, {}}).empty();
  };
  EXPECT_FALSE(moved("/x:/y"));
  EXPECT_FALSE(moved(""));
  EXPECT_TRUE(moved("src"));
  EXPECT_TRUE(moved("/x:src"));
  EXPECT_TRUE(moved("/x:"));
  EXPECT_TRUE(moved(":/x"));
}

TEST(WorkerKey, CountsTheConfiguredPreloadList) {
  EXPECT_EQ(why({{}, "/", {"torch"}, {}, {}}, {{}, "/", {"torch", "numpy"}, {}, {}}),
            "the configured preload list changed");
}

TEST(WorkerKey, CountsWhatAProcessTakesOverWhenItStarts) {
  WorkerKey other;
  other.affinity = {0};
  EXPECT_EQ(difference({}, other, {})->text, "the CPU affinity changed");
  other = {};
  other.stack = Limit{1 << 20, std::nullopt};
  EXPECT_EQ(difference({}, other, {})->text, "the stack limit (ulimit -s) changed");
  EXPECT_FALSE(difference(other, other, {}));
}

TEST(WorkerKey, CountsWhatRunsMayTeach) {
  const WorkerKey all{{}, "/", {}, {}, "", "", {"modules", "patterns"}};
  const WorkerKey some{{}, "/", {}, {}, "", "", {"modules"}};
  EXPECT_EQ(why(all, all), "");
  EXPECT_EQ(why(all, some), "the setting `learn` changed");
  EXPECT_TRUE(all.learns("patterns"));
  EXPECT_FALSE(some.learns("patterns"));
}

TEST(WorkerKey, CountsWhatIsTheProjectsCode) {
  const std::string text = "what counts as the project's code changed";
  const WorkerKey plain{{}, "/", {}, {}, ""};
  EXPECT_EQ(why(plain, plain), "");
  EXPECT_EQ(why(plain, {{}, "/", {}, {"torch.*"}, ""}), text);
  EXPECT_EQ(why({{}, "/", {}, {"a", "b"}, ""}, {{}, "/", {}, {"b", "a"}, ""}), text);
  EXPECT_EQ(why({{}, "/", {}, {}, "/lib"}, plain), text);
  EXPECT_EQ(why(plain, {{}, "/", {}, {}, "", "package"}), text);
  const auto found = difference(plain, {{}, "/", {}, {"a"}, ""}, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reason, RestartReason::project_code_changed);
}

TEST(SitesState, SeesChanges) {
  TemporaryFolder folder;
  const auto python = folder.write("python", "");
  folder.write("site/a.pth", "");
  folder.write("site/package/module.py", "");
  const auto state = sites_state(python, {(folder.path() / "site").string()});
  EXPECT_EQ(changed_site(state), std::nullopt);
  folder.write("site/a.pth", "import x");
  EXPECT_EQ(changed_site(state), (folder.path() / "site/a.pth").string());
  folder.write("site/a.pth", "");
  std::filesystem::remove(folder.path() / "site/a.pth");
  EXPECT_TRUE(changed_site(state));
}

TEST(SitesState, SeesANewPackageAndAnotherInterpreter) {
  TemporaryFolder folder;
  const auto python = folder.write("python", "");
  const auto site = folder.path() / "site";
  folder.write("site/a.py", "");
  std::filesystem::last_write_time(site, std::filesystem::last_write_time(site) - std::chrono::seconds(5));
  const auto state = sites_state(python, {site.string()});
  std::filesystem::create_directory(site / "package");
  EXPECT_EQ(changed_site(state), site.string());
  const auto other = sites_state(python, {});
  folder.write("python", "new");
  EXPECT_EQ(changed_site(other), python.string());
}

}  // namespace
}  // namespace stest
