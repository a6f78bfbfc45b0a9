#include "worker/runner/run_place.hpp"

#include <signal.h>
#include <unistd.h>

#include "worker/watch/group_leader.hpp"

namespace stest {

bool lead_session_for_terminal() {
  if (::getsid(0) == ::getpid()) return true;
  const bool leads = ::setsid() > 0;
  watch::set_leads_for_terminal(leads);
  return leads;
}

void lead_as_client(Leads leads) {
  if (leads == Leads::session) {
    watch::set_leads_for_terminal(false);
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
