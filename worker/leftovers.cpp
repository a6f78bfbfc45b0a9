#include "leftovers.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace stest {

namespace {

using Clock = std::chrono::steady_clock;

/// What the kernel gets to end killed processes; more only where they hang in it.
constexpr std::chrono::seconds kill_limit{5};
constexpr std::chrono::milliseconds kill_poll{1};

/// Calls `kill_some`, which returns whether anything is left, until nothing is.
template <class KillSome>
void kill_until_none(KillSome kill_some) {
  const auto deadline = Clock::now() + kill_limit;
  while (kill_some() && Clock::now() < deadline) std::this_thread::sleep_for(kill_poll);
}

/// Kills what is in the session, but for its leader; returns whether there was anything.
bool kill_members(pid_t leader) {
  bool found = false;
  for (const auto& process : living_processes()) {
    if (process.session != leader || process.identity.pid == leader) continue;
    found = true;
    // The whole group at once where that can be: no fork of a member escapes then.
    if (process.group != leader) {
      ::kill(-process.group, SIGKILL);
    } else if (is_alive(process.identity)) {
      ::kill(process.identity.pid, SIGKILL);
    }
  }
  return found;
}

/// Where the leader goes on, its group stands still meanwhile: what forks all the time could not be found.
void end_session(pid_t leader) {
  const bool goes_on = identify(leader).has_value();
  if (goes_on) ::kill(-leader, SIGSTOP);
  kill_until_none([&] { return kill_members(leader); });
  if (goes_on) ::kill(leader, SIGCONT);
}

}  // namespace

Leftovers::Leftovers() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<protocol::Done::Left> Leftovers::end_run(pid_t leader, const std::set<pid_t>& own) {
  if (!identify(leader)) ::kill(-leader, SIGKILL);  // It has ended: its group at once.
  reap(own);
  if (!has_news(leader, own)) return {};
  end_session(leader);
  reap(own);
  return tell_new(leader, own);
}

/// Whether there is any child that is not known: without one there is no grandchild either. This is all
/// that most runs cost.
bool Leftovers::has_news(pid_t leader, const std::set<pid_t>& own) const {
  auto children = children_of(::getpid());
  std::erase_if(children, [&](int child) { return own.contains(child); });
  const auto of_leader = children_of(leader);
  children.insert(children.end(), of_leader.begin(), of_leader.end());
  return std::any_of(children.begin(), children.end(), [&](int child) {
    const auto process = identify(child);
    return process && !told_.contains(*process);
  });
}

std::vector<protocol::Done::Left> Leftovers::tell_new(pid_t leader, const std::set<pid_t>& own) {
  std::erase_if(told_, [](const auto& process) { return !is_alive(process); });
  std::vector<protocol::Done::Left> left;
  for (const auto& process : living_processes()) {
    const auto [pid, start_time] = process.identity;
    const bool is_orphan = process.parent == ::getpid() && !own.contains(pid);
    if (!is_orphan && process.parent != leader) continue;
    // Not those of runs that go on, nor what a module may have started when it was imported here.
    if (own.contains(process.session) || process.session == ::getsid(0)) continue;
    if (told_.insert(process.identity).second) left.push_back({pid, start_time, command_line(pid)});
  }
  return left;
}

void Leftovers::reap(const std::set<pid_t>& own) {
  for (const int child : children_of(::getpid())) {
    if (!own.contains(child)) ::waitpid(child, nullptr, WNOHANG);
  }
}

void Leftovers::kill_all() {
  kill_until_none([] {
    const auto left = descendants(::getpid());
    for (const int pid : left) ::kill(pid, SIGKILL);
    reap({});
    return !left.empty();
  });
}

}  // namespace stest
