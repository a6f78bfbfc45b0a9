#include "daemon/run/input_wait.hpp"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "common/os/process.hpp"
#include "common/os/pty.hpp"
#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

/// A shell with this stdin, which ends with its child.
class Reader {
 public:
  Reader(const std::string& script, int in) {
    SpawnOptions options;
    options.executable = "/bin/sh";
    options.args = {"-c", script};
    options.fds = {{0, in}};
    options.new_session = true;
    pid_ = spawn(options).value();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    ::kill(-pid_, SIGKILL);
    wait_for(pid_);
  }
  int pid() const { return pid_; }

 private:
  int pid_ = 0;
};

std::string path_of(int fd) { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd); }

RunRequest with_input(const Pipe& pipe) {
  RunRequest request;
  request.input = InputFile{identify_file(pipe.read.get(), path_of(pipe.read.get()))};
  return request;
}

TEST(WaitsForInput, WhileItsStdinIsRead) {
  auto pipe = make_pipe().value();
  const auto other = make_pipe().value();
  const Reader reader("exec cat", pipe.read.get());
  await([&] { return waits_for_input(with_input(pipe), reader.pid()); }, "the read");
  EXPECT_FALSE(waits_for_input(with_input(other), reader.pid())) << "that is not its client's";
  EXPECT_FALSE(waits_for_input({}, reader.pid()));
}

TEST(WaitsForInput, UntilItGoesOn) {
  auto pipe = make_pipe().value();
  const Reader reader("cat; sleep 1000; true", pipe.read.get());
  await([&] { return waits_for_input(with_input(pipe), reader.pid()); }, "the read in a child");
  pipe.write.reset();
  await([&] { return !waits_for_input(with_input(pipe), reader.pid()); }, "the end of the child");
}

TEST(WaitsForInput, AtATerminal) {
  const auto pty = Pty::open(-1).value();
  RunRequest request;
  request.terminal = Terminal{pty.file(), true, true, true};
  const Reader busy("sleep 1000; true", pty.far().get());
  EXPECT_FALSE(waits_for_input(request, busy.pid()));
  const Reader reader("exec cat", pty.far().get());
  await([&] { return waits_for_input(request, reader.pid()); }, "a read of lines");
  termios modes = pty.modes();
  modes.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  ASSERT_EQ(::tcsetattr(pty.far().get(), TCSANOW, &modes), 0);
  EXPECT_TRUE(waits_for_input(request, busy.pid())) << "a line editor";
}

}  // namespace
}  // namespace stest
