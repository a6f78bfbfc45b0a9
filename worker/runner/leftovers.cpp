#include "worker/runner/leftovers.hpp"

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

/// The time for the kernel to end killed processes. Only a process that hangs in the kernel needs more.
constexpr std::chrono::seconds kill_limit{5};
constexpr std::chrono::milliseconds kill_poll{1};

/// The time for helpers to clean up after the processes that they serve have ended.
constexpr std::chrono::seconds helper_limit{2};

/// Calls `is_over` until it returns true or the limit is reached.
template <class IsOver>
void await(std::chrono::milliseconds limit, IsOver is_over) {
  const auto deadline = Clock::now() + limit;
  while (!is_over() && Clock::now() < deadline) std::this_thread::sleep_for(kill_poll);
}

/// Whether it is a helper: it removes shared memory, semaphores and folders that the processes of its run
/// have left, and ends after the last of them. Only its command line tells.
bool is_helper(pid_t pid) {
  const auto command = command_line(pid);
  return command.find("resource_tracker import main") != command.npos ||
         command.find("torch_shm_manager") != command.npos;
}

/// The processes of a run, as /proc shows them.
class RunProcesses {
 public:
  RunProcesses(pid_t runner, pid_t session, const std::set<pid_t>& own, const std::set<ProcessIdentity>& told)
      : runner_(runner), session_(session), own_(own), told_(told) {}

  /// The processes in the run's session, and in one that the runner has created, except the runner. If the
  /// runner has left the first session, another session may have its number. Then only our descendants count.
  std::vector<ProcessView> members() const {
    auto all = living_processes();
    const bool is_session_ours = ::getsid(runner_) == session_;
    const auto ours = is_session_ours ? std::set<pid_t>() : descendants_in(all);
    std::erase_if(all, [&](const auto& process) {
      const pid_t pid = process.identity.pid;
      const bool is_in_first = process.session == session_ && (is_session_ours || ours.contains(pid));
      return pid == runner_ || !(is_in_first || process.session == runner_);
    });
    return all;
  }

  /// Stops its process groups: processes that fork all the time could not be found.
  void stop() const {
    if (const pid_t group = ::getpgid(runner_); group > 0 && group != ::getpgrp()) ::kill(-group, SIGSTOP);
    if (::getsid(runner_) == session_ && session_ != ::getpgrp()) ::kill(-session_, SIGSTOP);
  }

  /// Helpers, which will end: in the session, or orphans for which no earlier run has waited.
  std::vector<ProcessView> helpers() const {
    auto all = living_processes();
    std::erase_if(all, [&](const auto& process) {
      const bool is_orphan = process.parent == ::getpid() && !own_.contains(process.identity.pid);
      const bool may_end = process.session == session_ || (is_orphan && !told_.contains(process.identity));
      return !may_end || !is_helper(process.identity.pid);
    });
    return all;
  }

 private:
  static std::set<pid_t> descendants_in(const std::vector<ProcessView>& all) {
    std::set<pid_t> found{::getpid()};
    for (std::size_t before = 0; before != found.size();) {
      before = found.size();
      for (const auto& process : all) {
        if (found.contains(process.parent)) found.insert(process.identity.pid);
      }
    }
    return found;
  }

  pid_t runner_;
  pid_t session_;
  const std::set<pid_t>& own_;
  const std::set<ProcessIdentity>& told_;
};

void signal_if_alive(const ProcessView& process, int signal) {
  if (is_alive(process.identity)) ::kill(process.identity.pid, signal);
}

/// Kills `members` that are not helpers; returns whether there were none. First it stops their groups:
/// processes that fork all the time could not be found.
bool kill_others(std::vector<ProcessView> members) {
  std::erase_if(members, [](const auto& process) { return is_helper(process.identity.pid); });
  for (const auto& process : members) ::kill(-process.group, SIGSTOP);
  for (const auto& process : members) signal_if_alive(process, SIGKILL);
  return members.empty();
}

void end_session(const RunProcesses& run) {
  await(kill_limit, [&] { return kill_others(run.members()); });
  for (const auto& helper : run.helpers()) signal_if_alive(helper, SIGCONT);
  await(helper_limit, [&] { return run.helpers().empty(); });
  await(kill_limit, [&] {
    const auto members = run.members();
    for (const auto& process : members) signal_if_alive(process, SIGKILL);
    return members.empty();
  });
}

}  // namespace

Leftovers::Leftovers() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<protocol::Done::Left> Leftovers::end_run(pid_t runner, pid_t session,
                                                     const std::set<pid_t>& own) {
  const RunProcesses run(runner, session, own, told_);
  const bool goes_on = identify(runner).has_value();
  if (!goes_on) run.stop();  // First, because no list of children is complete while processes come and go.
  reap(own);
  if (!has_news(runner, own)) return {};
  if (goes_on) run.stop();
  end_session(run);
  if (goes_on) ::kill(runner, SIGCONT);
  reap(own);
  return tell_new(runner, own);
}

/// Whether there is an unknown child: without one there is no unknown grandchild either. A child that has
/// ended may have left children, which are not ours yet. After most runs no other check is needed.
bool Leftovers::has_news(pid_t runner, const std::set<pid_t>& own) const {
  auto children = children_of(::getpid());
  std::erase_if(children, [&](int child) { return own.contains(child); });
  const auto of_runner = children_of(runner);
  children.insert(children.end(), of_runner.begin(), of_runner.end());
  return std::any_of(children.begin(), children.end(), [&](int child) {
    const auto process = identify(child);
    return !process || !told_.contains(*process);
  });
}

std::vector<protocol::Done::Left> Leftovers::tell_new(pid_t runner, const std::set<pid_t>& own) {
  std::erase_if(told_, [](const auto& process) { return !is_alive(process); });
  std::vector<protocol::Done::Left> left;
  for (const auto& process : living_processes()) {
    const auto [pid, start_time] = process.identity;
    const bool is_orphan = process.parent == ::getpid() && !own.contains(pid);
    if (!is_orphan && process.parent != runner) continue;
    // Processes of runs that go on do not count, nor those that a module has started when it was imported
    // here.
    if (own.contains(process.session) || process.session == ::getsid(0)) continue;
    // A helper is not reported: it ends after the last process that it serves.
    if (told_.insert(process.identity).second && !is_helper(pid))
      left.push_back({pid, start_time, command_line(pid)});
  }
  return left;
}

void Leftovers::reap(const std::set<pid_t>& own) {
  for (const int child : children_of(::getpid())) {
    if (!own.contains(child)) ::waitpid(child, nullptr, WNOHANG);
  }
}

void Leftovers::kill_all() {
  await(kill_limit, [] {
    const auto left = descendants(::getpid());
    for (const int pid : left) ::kill(pid, SIGKILL);
    reap({});
    return left.empty();
  });
}

}  // namespace stest
