#include "worker/runner/run_place.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace stest {
namespace {

/// Whether this process leads a session only to take a terminal, which plain pytest would not do.
bool leads_for_terminal = false;

bool leads_session() { return ::getsid(0) == ::getpid(); }

bool is_self(pid_t pid) { return pid == 0 || pid == ::getpid(); }

}  // namespace

bool lead_session_for_terminal() {
  if (leads_session()) return true;
  leads_for_terminal = ::setsid() > 0;
  return leads_for_terminal;
}

void lead_as_client(Leads leads) {
  if (leads == Leads::session) {
    leads_for_terminal = false;
    ::setsid();
  }
  if (leads == Leads::group) ::setpgid(0, 0);
}

void signal_run(pid_t pid, int signal) {
  const pid_t group = ::getpgid(pid);
  const bool has_group = group > 0 && group != ::getpgrp();
  if (signal == SIGKILL || !has_group || ::kill(-group, signal) != 0) ::kill(pid, signal);
}

}  // namespace stest

#pragma GCC visibility push(default)

// As the C library does it. But a process that leads a session only for its terminal leads its group already,
// and the kernel would refuse the call, which plain pytest may make.
extern "C" int setpgid(pid_t pid, pid_t group) noexcept {
  using namespace stest;
  if (leads_for_terminal && is_self(pid) && is_self(group) && leads_session()) return 0;
  return static_cast<int>(::syscall(SYS_setpgid, pid, group));
}

extern "C" int setpgrp() noexcept { return ::setpgid(0, 0); }

#pragma GCC visibility pop
