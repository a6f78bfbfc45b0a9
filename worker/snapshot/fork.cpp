#include "worker/snapshot/fork.hpp"

#include <Python.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#include "common/os/blocked_signals.hpp"
#include "common/os/fd.hpp"
#include "common/os/process.hpp"

namespace stest {

namespace {

/// A self-pipe: a signal handler may do little more than write a byte.
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

bool await_end(pid_t pid, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  bool ended = has_ended(pid);
  while (!ended && wait_for_events(sigchld_fd(), POLLIN, deadline)) {
    drain_sigchld();
    ended = has_ended(pid);
  }
  on_sigchld(0);  // Other children may have ended as well, and the zygote must not miss that.
  return ended;
}

namespace {

/// Registers again: the kernel drops the registration for restartable sequences of a process that shares
/// memory, and of its children.
void register_restartable_sequences() {
#if __has_include(<sys/rseq.h>)
  if (__rseq_size == 0) return;
  auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  ::syscall(SYS_rseq, area, sizeof(struct rseq), 0, RSEQ_SIG);
#endif
}

/// In the child of the session's leader: waits until the leader has ended, and `parent` is the parent.
void await_parent(pid_t parent) {
  const pid_t leader = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGCHLD);  // Blocked, like all signals.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  while (leader != parent && ::getppid() == leader) ::sigwaitinfo(&set, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
}

/// Returns 0 in the grandchild, and the leader's pid in the parent, which gets the grandchild's pid through
/// `report`. Not inlined: the leader uses this stack frame, so it must hold nothing else.
[[gnu::noinline]] pid_t fork_in_session(int report) {
  // NOLINTBEGIN(bugprone-unsafe-functions,clang-analyzer-*): the leader makes only system calls.
  const pid_t leader = ::vfork();
  if (leader != 0) return leader;
  ::setsid();
  const pid_t pid = ::fork();
  if (pid == 0) return 0;
  (void)!::write(report, &pid, sizeof pid);
  ::_exit(0);
  // NOLINTEND(bugprone-unsafe-functions,clang-analyzer-*)
}

pid_t read_pid(int report) {
  pid_t pid = -1;
  return ::read(report, &pid, sizeof pid) == sizeof pid ? pid : -1;
}

void become_child() {
  ::signal(SIGCHLD, SIG_DFL);
  for (int& fd : self_pipe) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  PyOS_AfterFork_Child();
}

}  // namespace

pid_t fork_python() {
  std::fflush(nullptr);
  PyOS_BeforeFork();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become_child();
  } else {
    PyOS_AfterFork_Parent();
  }
  return pid;
}

pid_t fork_run(pid_t parent) {
  auto report = make_pipe();
  if (!report) return -1;
  const BlockedSignals blocked;
  std::fflush(nullptr);
  PyOS_BeforeFork();
  const pid_t leader = fork_in_session(report->write.get());
  if (leader == 0) {
    await_parent(parent);
    register_restartable_sequences();
    become_child();
    return 0;
  }
  PyOS_AfterFork_Parent();
  report->write.reset();
  if (leader < 0) return -1;
  // Once the leader is reaped, its child is a child of `parent`.
  ::waitpid(leader, nullptr, 0);
  return read_pid(report->read.get());
}

}  // namespace stest
