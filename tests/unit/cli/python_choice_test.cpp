#include "cli/python_choice.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/os/python_executable.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

class OtherEnvironmentTest : public testing::Test {
 protected:
  OtherEnvironmentTest() {
    for (const char* name : {"own", "a", "b", "c"}) {
      fs::create_directories(path(name) / "bin");
      std::ofstream(path(name) / "pyvenv.cfg");
      fs::create_symlink("/usr/bin/python3", path(name) / "bin/python");
    }
    fs::create_directory(path("root"));
  }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  /// The environment that the line names; empty if there is no line.
  std::string named(const Environment& env) const {
    const auto line =
        other_environment(path("own") / "bin/python", {path("root"), env, runtime_paths(path("root"), env)});
    if (!line) return {};
    for (const char* name : {"a", "b", "c"}) {
      if (line->find("SPRINTEST_PYTHON=" + path(name).string() + "/bin/python ") != line->npos) return name;
    }
    return *line;
  }

  TemporaryFolder folder_;
};

TEST_F(OtherEnvironmentTest, TheFirstThatIsThereDecides) {
  fs::create_directory_symlink(path("b"), path("root/.venv"));
  const auto c = path("c/bin").string();
  EXPECT_EQ(named({{"VIRTUAL_ENV", path("a")}, {"UV_PROJECT_ENVIRONMENT", path("own")}, {"PATH", c}}), "a");
  EXPECT_EQ(named({{"VIRTUAL_ENV", path("own")}, {"UV_PROJECT_ENVIRONMENT", path("a")}, {"PATH", c}}), "");
  EXPECT_EQ(named({{"VIRTUAL_ENV", path("gone")}, {"UV_PROJECT_ENVIRONMENT", "../a"}, {"PATH", c}}), "a");
  EXPECT_NE(named({{"PATH", c}}).find("root/.venv/bin/python "), std::string::npos) << named({{"PATH", c}});
  fs::remove(path("root/.venv"));
  EXPECT_EQ(named({{"PATH", "/nowhere:" + c + ":" + path("own/bin").string()}}), "c");
  EXPECT_EQ(named({{"PATH", path("own/bin").string() + ":" + c}}), "");
  EXPECT_EQ(named({}), "");
}

TEST_F(OtherEnvironmentTest, NothingIsSaidAboutWhatWasChosenOrHasNoPython) {
  EXPECT_EQ(named({{"VIRTUAL_ENV", path("a")}, {"SPRINTEST_PYTHON", path("a/bin/python")}}), "");
  fs::create_directories(path("root/.venv/bin"));
  EXPECT_EQ(named({}), "");
}

TEST_F(OtherEnvironmentTest, ALinkToTheOwnEnvironmentIsTheSame) {
  fs::create_directory_symlink(path("own"), path("root/.venv"));
  EXPECT_EQ(named({{"VIRTUAL_ENV", path("root/.venv")}}), "");
  EXPECT_EQ(named({}), "");
}

TEST_F(OtherEnvironmentTest, AProgramThatStandsInForManyInterpretersCountsForNone) {
  fs::create_directory(path("shims"));
  fs::permissions(folder_.write("shims/python", "#!/bin/sh\n"), fs::perms::owner_all);
  EXPECT_EQ(named({{"PATH", path("shims")}}), "");
  fs::remove(path("shims/python"));
  fs::create_symlink("/bin/sh", path("shims/python"));
  EXPECT_EQ(named({{"PATH", path("shims")}}), "");
}

TEST_F(OtherEnvironmentTest, TheChoiceIsSettledOnce) {
  EXPECT_TRUE(settle_python(std::nullopt));
  EXPECT_EQ(::getenv(python_variable), nullptr);
  EXPECT_TRUE(settle_python(path("a").string()));
  EXPECT_EQ(::getenv(python_variable), path("a") / "bin/python");
  const auto none = settle_python(path("gone").string());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "--python: there is no Python at " + path("gone").string());
  ::setenv(python_variable, "no/such", 1);
  EXPECT_EQ(settle_python(std::nullopt).error().message, "SPRINTEST_PYTHON: there is no Python at no/such");
  ::unsetenv(python_variable);
}

}  // namespace
}  // namespace stest
