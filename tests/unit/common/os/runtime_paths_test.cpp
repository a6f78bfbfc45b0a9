#include "common/os/runtime_paths.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

unsigned mode(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 0777u : 0;
}

fs::path tmp_folder() { return "/tmp/stest-" + std::to_string(::geteuid()); }

// ---- find_project_root ----

class ProjectRootTest : public testing::Test {
 protected:
  /// Whether a folder with this one file counts as a project's root, seen from a folder below.
  bool is_root(const fs::path& name, const std::string& text) const {
    folder_.write("project" / name, text);
    const fs::path below = folder_.path() / "project" / "deep" / "deeper";
    fs::create_directories(below);
    const bool found = find_project_root(below) == folder_.path() / "project";
    fs::remove_all(folder_.path() / "project");
    return found;
  }

  TemporaryFolder folder_;
};

TEST_F(ProjectRootTest, ConfigurationFiles) {
  for (const char* name : {"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", ".git", ".git/HEAD"}) {
    EXPECT_TRUE(is_root(name, "")) << name;
  }
  EXPECT_FALSE(is_root("README", ""));
}

TEST_F(ProjectRootTest, Sections) {
  EXPECT_TRUE(is_root("tox.ini", "[tox]\n[pytest]\n"));
  EXPECT_FALSE(is_root("tox.ini", "[tox]\n"));
  EXPECT_TRUE(is_root("setup.cfg", "[metadata]\n[tool:pytest]\n"));
  EXPECT_FALSE(is_root("setup.cfg", "[metadata]\n[pytest]\n"));
  EXPECT_TRUE(is_root("pyproject.toml", "[tool.pytest.ini_options]\n"));
  EXPECT_TRUE(is_root("pyproject.toml", "[tool.pytest]\n"));
  EXPECT_TRUE(is_root("pyproject.toml", "[tool.sprintest]  # ours\r\n"));
  EXPECT_TRUE(is_root("pyproject.toml", "  [ tool . \"sprintest\" ]"));
  EXPECT_TRUE(is_root("pyproject.toml", "this is = = not TOML\n[tool.sprintest]\n"));
  EXPECT_FALSE(is_root("pyproject.toml", "[project]\nname = \"x\"\n"));
  EXPECT_FALSE(is_root("pyproject.toml", "# [tool.pytest]\nx = \"[tool.pytest]\"\n"));
  EXPECT_FALSE(is_root("pyproject.toml", "[tool.pytest-x]\n[tool.sprintester]\n[tool.pytes]\n"));
}

TEST_F(ProjectRootTest, TheNearestWins) {
  folder_.write("outer/pytest.ini", "");
  folder_.write("outer/inner/tox.ini", "[pytest]");
  EXPECT_EQ(find_project_root(folder_.path() / "outer" / "inner"), folder_.path() / "outer" / "inner");
  fs::create_directory(folder_.path() / "outer" / "other");
  EXPECT_EQ(find_project_root(folder_.path() / "outer" / "other"), folder_.path() / "outer");
}

TEST_F(ProjectRootTest, NothingFoundIsTheFolderItself) {
  EXPECT_EQ(find_project_root(folder_.path()), folder_.path());
  EXPECT_EQ(find_project_root("/"), fs::path("/"));
}

TEST_F(ProjectRootTest, LinksAreResolved) {
  folder_.write("real/pytest.ini", "");
  fs::create_directory_symlink(folder_.path() / "real", folder_.path() / "link");
  EXPECT_EQ(find_project_root(folder_.path() / "link"), folder_.path() / "real");
}

// ---- runtime_paths ----

TEST(RuntimePaths, InTheProject) {
  const TemporaryFolder folder;
  const RuntimePaths paths = runtime_paths(folder.path(), {});
  const fs::path directory = folder.path() / ".sprintest";
  EXPECT_EQ(paths.root, folder.path());
  EXPECT_EQ(paths.directory, directory);
  EXPECT_EQ(paths.status_file, directory / "status.json");
  EXPECT_EQ(paths.lock_file, directory / "daemon.lock");
  EXPECT_EQ(paths.log_file, directory / "daemon.log");
  EXPECT_EQ(paths.preload_file, directory / "preload.json");
  EXPECT_EQ(paths.socket, directory / "daemon.sock");
}

TEST(RuntimePaths, VariablesCountFromTheRoot) {
  const TemporaryFolder folder;
  const RuntimePaths relative =
      runtime_paths(folder.path(), {{"SPRINTEST_DIR", "build/../run"}, {"SPRINTEST_LOCK_FILE", "my.lock"}});
  EXPECT_EQ(relative.directory, folder.path() / "run");
  EXPECT_EQ(relative.lock_file, folder.path() / "my.lock");
  const RuntimePaths absolute = runtime_paths(folder.path(), {{"SPRINTEST_DIR", "/run/there"}});
  EXPECT_EQ(absolute.status_file, "/run/there/status.json");
  EXPECT_EQ(absolute.lock_file, "/run/there/daemon.lock");
  const RuntimePaths empty =
      runtime_paths(folder.path(), {{"SPRINTEST_DIR", ""}, {"SPRINTEST_LOCK_FILE", ""}});
  EXPECT_EQ(empty.directory, folder.path() / ".sprintest");
  EXPECT_EQ(empty.lock_file, folder.path() / ".sprintest" / "daemon.lock");
}

/// A SPRINTEST_DIR with which `daemon.sock`'s path has `size` bytes.
Environment with_socket_size(std::size_t size) {
  const std::string tail = "/daemon.sock";
  return {{"SPRINTEST_DIR", "/" + std::string(size - tail.size() - 1, 'd')}};
}

TEST(RuntimePaths, SocketOf107BytesStays) {
  const fs::path socket = runtime_paths("/", with_socket_size(107)).socket;
  EXPECT_EQ(socket.native().size(), 107u);
  EXPECT_EQ(socket.filename(), "daemon.sock");
  EXPECT_LT(socket.native().size(), sizeof(sockaddr_un{}.sun_path));
}

TEST(RuntimePaths, SocketOf108BytesMovesToTmp) {
  const fs::path socket = runtime_paths("/", with_socket_size(108)).socket;
  EXPECT_EQ(socket.parent_path(), tmp_folder());
  EXPECT_EQ(socket.filename().string().size(), std::string("0123456789abcdef.sock").size());
  EXPECT_EQ(runtime_paths("/", with_socket_size(108)).socket, socket);
  EXPECT_NE(runtime_paths("/", with_socket_size(109)).socket, socket);
}

TEST(RuntimePaths, LongSocketPrefersTheRuntimeFolder) {
  const TemporaryFolder runtime;
  Environment env = with_socket_size(200);
  env["XDG_RUNTIME_DIR"] = runtime.path();
  const fs::path socket = runtime_paths("/", env).socket;
  EXPECT_EQ(socket.parent_path(), runtime.path());
  EXPECT_EQ(socket.filename().string().substr(0, 6), "stest-");
}

TEST(RuntimePaths, UnusableRuntimeFolderFallsBackToTmp) {
  const TemporaryFolder folder;
  const fs::path deep = folder.path() / std::string(100, 'x');
  fs::create_directory(deep);
  for (const std::string& runtime :
       {std::string(), std::string("relative"), std::string("/missing"), deep.string()}) {
    Environment env = with_socket_size(200);
    env["XDG_RUNTIME_DIR"] = runtime;
    EXPECT_EQ(runtime_paths("/", env).socket.parent_path(), tmp_folder()) << runtime;
  }
}

// ---- ensure_directories ----

class EnsureDirectoriesTest : public testing::Test {
 protected:
  Status ensure(const Environment& env = {}) const {
    return ensure_directories(runtime_paths(folder_.path(), env));
  }

  void expect_refused(const std::string& why) const {
    const Status status = ensure();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::daemon_unavailable);
    EXPECT_EQ(status.error().message, "cannot use the folder " + directory_.string() + ": " + why);
    EXPECT_NE(status.error().hint.find("SPRINTEST_DIR"), std::string::npos);
  }

  TemporaryFolder folder_;
  fs::path directory_ = folder_.path() / ".sprintest";
};

TEST_F(EnsureDirectoriesTest, CreatesAPrivateFolderThatGitIgnores) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(ensure());
  ::umask(before);
  EXPECT_EQ(mode(directory_), 0700u);
  EXPECT_EQ(read_text(directory_ / ".gitignore"), "*\n");
  EXPECT_TRUE(ensure());
}

TEST_F(EnsureDirectoriesTest, CreatesFoldersAbove) {
  ASSERT_TRUE(ensure({{"SPRINTEST_DIR", "a/b/c"}}));
  EXPECT_EQ(mode(folder_.path() / "a/b/c"), 0700u);
}

TEST_F(EnsureDirectoriesTest, LeavesTheContentOfAnExistingFolderAlone) {
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms(0755));
  ASSERT_TRUE(ensure());
  EXPECT_FALSE(fs::exists(directory_ / ".gitignore"));
}

TEST_F(EnsureDirectoriesTest, RefusesAFile) {
  folder_.write(".sprintest", "");
  expect_refused("it is not a folder");
}

TEST_F(EnsureDirectoriesTest, RefusesALink) {
  fs::create_directory(folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", directory_);
  expect_refused("it is not a folder");
  EXPECT_TRUE(ensure({{"SPRINTEST_DIR", directory_.string()}})) << "a link that the user chose is resolved";
}

TEST_F(EnsureDirectoriesTest, RefusesAFolderThatOthersCanWrite) {
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms(0777));
  expect_refused("other users have access to it");
}

TEST_F(EnsureDirectoriesTest, RefusesAFolderOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms(0755));
  ASSERT_EQ(::chown(directory_.c_str(), 12345, 12345), 0);
  expect_refused("it belongs to another user");
}

TEST_F(EnsureDirectoriesTest, RefusesWhatCannotBeWritten) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  fs::permissions(folder_.path(), fs::perms(0500));
  expect_refused("Permission denied");
  fs::permissions(folder_.path(), fs::perms(0700));
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms(0500));
  expect_refused("it is not writable");
}

TEST_F(EnsureDirectoriesTest, LongPathGetsThePrivateFolderInTmp) {
  const std::string name(100, 'd');
  ASSERT_TRUE(ensure({{"SPRINTEST_DIR", name}}));
  EXPECT_EQ(mode(folder_.path() / name), 0700u);
  EXPECT_EQ(mode(tmp_folder()), 0700u);
}

// ---- python_executable ----

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

}  // namespace
}  // namespace stest
