#include "fork.hpp"

#include <Python.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace stest {

namespace {

/// The classic self-pipe: the handler may do no more than write a byte.
int self_pipe[2] = {-1, -1};

void on_sigchld(int) {
  const int saved = errno;
  const ssize_t ignored = ::write(self_pipe[1], "", 1);
  (void)ignored;
  errno = saved;
}

}  // namespace

int sigchld_fd() {
  if (self_pipe[0] >= 0) return self_pipe[0];
  if (::pipe2(self_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  struct sigaction action {};
  action.sa_handler = on_sigchld;
  action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &action, nullptr);
  return self_pipe[0];
}

void drain_sigchld() {
  char buffer[64];
  while (::read(self_pipe[0], buffer, sizeof buffer) > 0) {
  }
}

pid_t fork_python() {
  std::fflush(nullptr);
  PyOS_BeforeFork();
  const pid_t pid = ::fork();
  if (pid != 0) {
    PyOS_AfterFork_Parent();
    return pid;
  }
  ::signal(SIGCHLD, SIG_DFL);
  for (int& fd : self_pipe) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  PyOS_AfterFork_Child();
  return 0;
}

}  // namespace stest
