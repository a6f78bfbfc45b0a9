#include "common/status_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class StatusFileTest : public testing::Test {
 protected:
  static DaemonStatus status() {
    DaemonStatus status;
    status.process = identify(::getpid()).value();
    status.version = "0.1.0";
    status.build = "1-2-3";
    status.python = "/venv/\xff/bin/python";
    status.endpoint.socket = "/project/.sprintest/daemon.sock";
    status.state = "idle";
    status.since = 1'700'000'000;
    status.last_result = R"({"exit_code":0})";
    return status;
  }

  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "status.json";
};

TEST_F(StatusFileTest, RoundTrips) {
  const DaemonStatus written = status();
  ASSERT_TRUE(write_status(file_, written));
  const auto read = read_status(file_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->process, written.process);
  EXPECT_EQ(read->version, written.version);
  EXPECT_EQ(read->build, written.build);
  EXPECT_EQ(read->python, written.python);
  EXPECT_EQ(read->endpoint.socket, written.endpoint.socket);
  EXPECT_EQ(read->state, written.state);
  EXPECT_EQ(read->since, written.since);
  EXPECT_EQ(read->last_result, written.last_result);
}

TEST_F(StatusFileTest, TcpEndpointRoundTrips) {
  DaemonStatus written = status();
  written.endpoint = {"", 8000, "secret"};
  ASSERT_TRUE(write_status(file_, written));
  const auto read = read_status(file_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->endpoint.port, 8000);
  EXPECT_EQ(read->endpoint.token, "secret");
  EXPECT_TRUE(read->endpoint.socket.empty());
}

TEST_F(StatusFileTest, IsPrivateAndAlone) {
  ASSERT_TRUE(write_status(file_, status()));
  ASSERT_TRUE(write_status(file_, status()));
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(StatusFileTest, FailureLeavesNothingBehind) {
  std::filesystem::create_directories(file_ / "in the way");
  const Status written = write_status(file_, status());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::internal);
  EXPECT_EQ(files(), 1u);
  EXPECT_FALSE(write_status(folder_.path() / "missing" / "status.json", status()));
}

TEST_F(StatusFileTest, FullDiskIsAnError) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  EXPECT_FALSE(write_all(Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)).get(), "x"));
}

TEST_F(StatusFileTest, MissingBrokenOrForeignFilesAreNothing) {
  EXPECT_FALSE(read_status(file_));
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"pid": "x"})", "\xff"}) {
    folder_.write("status.json", text);
    EXPECT_FALSE(read_status(file_)) << text;
  }
}

TEST_F(StatusFileTest, EveryMissingFieldMakesItNothing) {
  ASSERT_TRUE(write_status(file_, status()));
  const nlohmann::json whole = nlohmann::json::parse(read_text(file_));
  for (const auto& [field, value] : whole.items()) {
    // An older daemon, which is to be replaced, does not tell its surroundings.
    if (field == "last_result" || field == "since" || field == "surroundings") continue;
    nlohmann::json part = whole;
    part.erase(field);
    folder_.write("status.json", part.dump());
    EXPECT_FALSE(read_status(file_)) << field;
  }
}

TEST_F(StatusFileTest, DeadOrReplacedDaemonIsNothing) {
  DaemonStatus dead = status();
  ++dead.process.start_time;
  ASSERT_TRUE(write_status(file_, dead));
  EXPECT_FALSE(read_status(file_));
}

TEST_F(StatusFileTest, ReadersNeverSeeAHalfWrittenFile) {
  ASSERT_TRUE(write_status(file_, status()));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) ASSERT_TRUE(write_status(file_, status()));
  });
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(read_status(file_));
  stop = true;
  writer.join();
}

TEST_F(StatusFileTest, BuildIdTellsFilesApart) {
  const auto first = folder_.write("first", "program");
  const std::string before = build_id(first);
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(build_id(first), before);
  EXPECT_NE(build_id(folder_.write("second", "program")), before);
  folder_.write("first", "another program");
  EXPECT_NE(build_id(first), before);
  EXPECT_EQ(build_id(folder_.path() / "missing"), "");
}

}  // namespace
}  // namespace stest
