#include "cli/doctor/doctor_machine.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/doctor_sandbox.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Grade = Finding::Grade;

constexpr std::uint64_t mebibyte = 1u << 20;

class DoctorMachineTest : public testing::Test {
 protected:
  RuntimePaths paths(const std::string& folder = ".sprintest") const {
    return runtime_paths(folder_.path(), {{"SPRINTEST_DIR", folder}, {"XDG_RUNTIME_DIR", folder_.path()}});
  }
  void limits(const std::string& watches) const {
    folder_.write("proc/sys/fs/inotify/max_user_watches", watches + "\n");
    folder_.write("proc/sys/fs/inotify/max_user_instances", "128\n");
  }

  TemporaryFolder folder_;
};

TEST_F(DoctorMachineTest, StateFolder) {
  const auto found = check_state_folder(paths());
  EXPECT_EQ(found.grade, Grade::ok) << found.detail;
  EXPECT_NE(found.detail.find("mode 0700"), std::string::npos) << found.detail;
}

TEST_F(DoctorMachineTest, StateFolderThatOthersMayWrite) {
  ASSERT_TRUE(ensure_directories(paths()));
  ::chmod(paths().directory.c_str(), 0777);
  const auto found = check_state_folder(paths());
  EXPECT_EQ(found.grade, Grade::failure);
  EXPECT_NE(found.remedy.find("SPRINTEST_DIR"), std::string::npos);
}

TEST_F(DoctorMachineTest, StateFolderThatIsAFile) {
  folder_.write("state", "");
  EXPECT_EQ(check_state_folder(paths("state")).grade, Grade::failure);
}

TEST_F(DoctorMachineTest, FileOfTheStateFolderThatCannotBeWritten) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everything";
  folder_.write(".sprintest/daemon.log", "");
  ::chmod(paths().directory.c_str(), 0700);
  ::chmod(paths().log_file.c_str(), 0);
  EXPECT_NE(check_state_folder(paths()).detail.find("daemon.log"), std::string::npos);
}

TEST_F(DoctorMachineTest, Socket) {
  ASSERT_TRUE(ensure_directories(paths()));
  EXPECT_EQ(check_socket(paths()).grade, Grade::ok);
  EXPECT_FALSE(std::filesystem::exists(paths().socket));
  const auto inside = std::filesystem::directory_iterator(paths().directory);
  EXPECT_EQ(std::distance(begin(inside), end(inside)), 1);  // .gitignore
}

TEST_F(DoctorMachineTest, SocketWithALongPath) {
  const auto longer = paths(std::string(120, 'x'));
  ASSERT_TRUE(ensure_directories(longer));
  const auto found = check_socket(longer);
  EXPECT_EQ(found.grade, Grade::ok);
  EXPECT_NE(found.detail.find("too long"), std::string::npos) << found.detail;
}

TEST_F(DoctorMachineTest, SocketThatCannotBeBound) {
  const auto found = check_socket(paths("/proc/self"));
  EXPECT_EQ(found.grade, Grade::failure);
  EXPECT_NE(found.detail.find("bind: "), std::string::npos) << found.detail;
}

TEST_F(DoctorMachineTest, Space) {
  EXPECT_EQ(judge_space(1000 * mebibyte, 100'000, "/x").grade, Grade::ok);
  EXPECT_EQ(judge_space(100 * mebibyte, 100'000, "/x").grade, Grade::warning);
  EXPECT_EQ(judge_space(mebibyte, 100'000, "/x").grade, Grade::failure);
  EXPECT_EQ(judge_space(1000 * mebibyte, 0, "/x").detail, "no inodes left in /x");
  EXPECT_EQ(check_disk(folder_.path()).name, "disk");
  EXPECT_EQ(check_disk(folder_.path() / "gone").grade, Grade::warning);
}

TEST_F(DoctorMachineTest, Proc) {
  EXPECT_EQ(check_proc().grade, Grade::ok);
  EXPECT_EQ(check_proc(folder_.path()).grade, Grade::failure);
}

TEST_F(DoctorMachineTest, Inotify) {
  const auto proc = folder_.path() / "proc";
  EXPECT_EQ(check_inotify(proc).grade, Grade::ok);  // None at all.
  limits("524288");
  EXPECT_EQ(check_inotify(proc).detail, "524288 watches, 128 instances");
  limits("100");
  EXPECT_EQ(check_inotify(proc).grade, Grade::warning);
  EXPECT_NE(check_inotify(proc).remedy.find("max_user_watches"), std::string::npos);
}

TEST_F(DoctorMachineTest, Memory) {
  EXPECT_EQ(check_memory(std::nullopt, "").grade, Grade::ok);
  EXPECT_EQ(check_memory(4096 * mebibyte, "/cg").detail, "limited to 4096 MiB by /cg");
  EXPECT_EQ(check_memory(512 * mebibyte, "/cg").grade, Grade::warning);
}

TEST_F(DoctorMachineTest, OpenFiles) {
  EXPECT_EQ(check_open_files(1024, 4096).grade, Grade::ok);
  EXPECT_EQ(check_open_files(100, 4096).remedy, "ulimit -n 1024, then stest restart");
  EXPECT_EQ(check_open_files(100, 200).remedy, "ulimit -n 200, then stest restart");
}

}  // namespace
}  // namespace stest
