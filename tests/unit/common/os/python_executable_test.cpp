#include "common/os/python_executable.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

/// Makes a virtual environment: its file, and links to an interpreter.
void make_environment(const fs::path& folder) {
  fs::create_directories(folder / "bin");
  std::ofstream(folder / "pyvenv.cfg") << "home = /usr/bin\n";
  for (const char* name : {"python", "python3", "python3.9"})
    fs::create_symlink("/bin/sh", folder / "bin" / name);
}

TEST(PythonExecutable, BesideTheExecutables) {
  const TemporaryFolder folder;
  const fs::path built_for = python_executable(folder.path());
  EXPECT_TRUE(built_for.is_absolute()) << built_for;
  fs::create_symlink("/bin/sh", folder.path() / "python");
  EXPECT_EQ(python_executable(folder.path()), folder.path() / "python");
  fs::create_symlink("/bin/sh", folder.path() / "python3");
  EXPECT_EQ(python_executable(folder.path()), folder.path() / "python3") << "links stay unresolved";
  fs::remove(folder.path() / "python3");
  fs::create_symlink("/missing", folder.path() / "python3");
  EXPECT_EQ(python_executable(folder.path()), folder.path() / "python");
}

TEST(PythonExecutable, NoOtherPythonTakesThePlaceOfOneThatIsGone) {
  const TemporaryFolder folder;
  fs::create_symlink("/missing", folder.path() / "python3");
  fs::create_symlink("python3", folder.path() / "python");
  EXPECT_EQ(python_executable(folder.path()), folder.path() / "python3");
}

TEST(PythonExecutable, TheVariableComesFirst) {
  const TemporaryFolder folder;
  EXPECT_EQ(python_executable(folder.path(), {{"SPRINTEST_PYTHON", "/p/bin/python"}}), "/p/bin/python");
  EXPECT_EQ(python_executable(folder.path(), {{"SPRINTEST_PYTHON", ""}}), python_executable(folder.path()));
}

TEST(FindPython, AllNamesOfAnEnvironmentAreOne) {
  const TemporaryFolder folder;
  make_environment(folder.path() / "v");
  fs::create_directory_symlink(folder.path() / "v", folder.path() / "link");
  const Environment env{{"PATH", "/nowhere::" + (folder.path() / "v/bin").string()}};
  const auto python = folder.path() / "v/bin/python3";
  for (const char* name : {"v", "v/", "link", "v/bin/python", "./v/bin/python3.9", "python", "python3.9"}) {
    EXPECT_EQ(find_python(name, folder.path(), env), python) << name;
  }
  EXPECT_EQ(find_python(python.string(), "/nowhere", {}), python);
}

TEST(FindPython, WhatIsNoneIsNotFound) {
  const TemporaryFolder folder;
  folder.write("empty/bin/readme", "");
  for (const char* name : {"empty", "empty/bin/readme", "missing", "python"}) {
    EXPECT_EQ(find_python(name, folder.path(), {}), std::nullopt) << name;
  }
}

TEST(FindPython, OutsideOfAnEnvironmentLinksAreResolved) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "bin");
  fs::create_symlink("/bin/sh", folder.path() / "bin/python");
  EXPECT_EQ(find_python("bin/python", folder.path(), {}), fs::canonical("/bin/sh"));
}

TEST(EnvironmentOf, IsTheFolderOrTheInterpreter) {
  const TemporaryFolder folder;
  make_environment(folder.path() / "one");
  make_environment(folder.path() / "other");
  fs::create_directory_symlink(folder.path() / "one", folder.path() / "link");
  fs::create_symlink(folder.path() / "one/bin/python", folder.path() / "python");
  const auto of = [&](const char* path) { return environment_of(folder.path() / path); };
  EXPECT_EQ(of("one/bin/python"), folder.path() / "one");
  EXPECT_EQ(of("link/bin/python3.9"), folder.path() / "one");
  EXPECT_NE(of("other/bin/python"), of("one/bin/python"));
  EXPECT_EQ(of("python"), fs::canonical("/bin/sh")) << "a link to it is not in the environment";
}

}  // namespace
}  // namespace stest
