#include "daemon/worker/worker_key.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

std::string why(const WorkerKey& running, const WorkerKey& wanted, const VariableReaders& reads = {}) {
  const auto found = difference(running, wanted, reads);
  return found ? found->text : "";
}

std::string why_env(const Environment& before, const Environment& now, const VariableReaders& reads = {}) {
  return why({before, "/", {}, {}, {}}, {now, "/", {}, {}, {}}, reads);
}

TEST(WorkerKey, CountsTheFamiliesOfCLibraries) {
  for (const char* name :
       {"OMP_NUM_THREADS", "MKL_X", "CUDA_VISIBLE_DEVICES", "HF_HOME", "PYTHONPATH", "LD_PRELOAD", "LC_ALL",
        "LANG", "LANGUAGE", "TZ", "GLIBC_TUNABLES", "NCCL_DEBUG"}) {
    EXPECT_TRUE(always_counts(name)) << name;
    EXPECT_EQ(why_env({}, {{name, "1"}}), std::string(name) + " changed from unset to 1");
  }
  for (const char* name : {"LANGUAGES", "TZDIR", "HOME", "MY_OMP_X"})
    EXPECT_FALSE(always_counts(name)) << name;
}

TEST(WorkerKey, CountsWhatWasRead) {
  const VariableReaders reads{{"MODE", "library.config"}, {"EMPTY", ""}};
  EXPECT_EQ(why_env({}, {{"MODE", "1"}}), "");
  EXPECT_EQ(why_env({}, {{"MODE", "1"}}, reads), "MODE changed from unset to 1 (library.config read it)");
  EXPECT_EQ(why_env({{"MODE", "1"}}, {}, reads), "MODE changed from 1 to unset (library.config read it)");
  EXPECT_EQ(why_env({{"MODE", "1"}}, {{"MODE", "1"}}, reads), "");
  EXPECT_EQ(why_env({{"EMPTY", "1"}}, {{"EMPTY", ""}}, reads), "EMPTY changed from 1 to empty");
}

TEST(WorkerKey, ShowsNoSecretsAndNoLongValues) {
  EXPECT_EQ(why_env({}, {{"HF_TOKEN", "hf_1234"}}), "HF_TOKEN changed");
  EXPECT_EQ(why_env({}, {{"OMP_X", std::string(50, 'x')}}),
            "OMP_X changed from unset to " + std::string(40, 'x') + "…");
}

TEST(WorkerKey, NeverCountsWhatChangesWithEachCommand) {
  for (const char* name :
       {"_", "SHLVL", "PWD", "OLDPWD", "PYTEST_CURRENT_TEST", "COLUMNS", "LINES", "TERM", "TERM_PROGRAM"}) {
    EXPECT_EQ(why_env({}, {{name, "1"}}, {{name, "library"}}), "") << name;
  }
}

TEST(WorkerKey, NamesAFewOfMany) {
  EXPECT_EQ(why_env({}, {{"OMP_A", "1"}, {"OMP_B", "1"}, {"OMP_C", "1"}, {"OMP_D", "1"}, {"OMP_E", "1"}}),
            "OMP_A changed from unset to 1, OMP_B changed from unset to 1, OMP_C changed from unset to 1 and "
            "2 more");
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
