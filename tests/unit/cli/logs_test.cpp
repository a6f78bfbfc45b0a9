#include "cli/logs.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "common/os/fd.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

class LogsTest : public ::testing::Test {
 protected:
  std::string read() { return read_some(out_.read.get(), 1 << 16)->data; }

  unit::TemporaryProject project_;
  std::filesystem::path file_ = project_.root() / "daemon.log";
  Pipe out_ = *make_pipe();
  Pipe err_ = *make_pipe();
  Console console_{{out_.write.get(), err_.write.get(), false, false}, {}};
};

TEST_F(LogsTest, PrintsTheEnd) {
  unit::write_text(file_, "one\ntwo\nthree\n");
  EXPECT_EQ(print_log(file_, 2, false, console_), 0);
  EXPECT_EQ(read(), "two\nthree\n");
}

TEST_F(LogsTest, WithoutALogThereWasNoDaemon) {
  EXPECT_EQ(print_log(file_, 2, false, console_), static_cast<int>(ExitCode::not_running));
}

TEST_F(LogsTest, FollowsUntilNobodyReads) {
  ::signal(SIGPIPE, SIG_IGN);
  unit::write_text(file_, "old\n");
  std::thread printer([&] { EXPECT_EQ(print_log(file_, 5, true, console_), 0); });
  EXPECT_EQ(read(), "old\n");
  std::ofstream(file_, std::ios::app) << "new\n";
  EXPECT_EQ(read(), "new\n");
  out_.read.reset();
  std::ofstream(file_, std::ios::app) << "unread\n";
  printer.join();
}

TEST_F(LogsTest, IsPlainText) {
  unit::write_text(file_, "\x1b[31mred\x1b[0m\n");
  print_log(file_, 10, false, console_);
  EXPECT_EQ(read(), "red\n");
}

}  // namespace
}  // namespace stest
