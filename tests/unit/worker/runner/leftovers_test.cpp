#include "worker/runner/leftovers.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace stest {
namespace {

/// Ends as `work` does, in a process of its own; its children are nobody's but this test's.
void in_own_process(const std::function<bool()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool good = work();
    Leftovers::kill_all();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

/// Forks a process for `work`; in its own session where that is asked for.
pid_t start(const std::function<void()>& work, bool in_session = false) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  if (in_session) ::setsid();
  work();
  ::_exit(0);
}

void sleep_for_ever() {
  ::signal(SIGTERM, SIG_IGN);
  for (;;) ::pause();
}

void await_zombie(pid_t pid) {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
}

/// Waits until this process has `count` living descendants.
bool has_descendants(std::size_t count) {
  for (int i = 0; i < 3000; ++i) {
    if (descendants(::getpid()).size() == count) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Waits until this process has but one living descendant, and that leads a session.
pid_t await_lone_leader() {
  for (;;) {
    const auto living = descendants(::getpid());
    if (living.size() == 1 && ::getsid(living.front()) == living.front()) return living.front();
    std::this_thread::yield();
  }
}

TEST(Leftovers, EndsWhatIsStillInTheSession) {
  in_own_process([] {
    Leftovers leftovers;
    const pid_t run = start(
        [] {
          start(sleep_for_ever);
          start([] { start(sleep_for_ever); });  // Its parent has gone.
          start([] {
            ::setpgid(0, 0);
            sleep_for_ever();
          });
        },
        true);
    await_zombie(run);
    if (!has_descendants(3)) return false;
    return leftovers.end_run(run, run, {run}).empty() && has_descendants(0);
  });
}

TEST(Leftovers, TellsOnceOfWhatHasLeftTheSession) {
  in_own_process([] {
    Leftovers leftovers;
    const auto daemonise = [] { start([] { start(sleep_for_ever, true); }); };
    const pid_t run = start(daemonise, true);
    await_zombie(run);
    const pid_t daemon = await_lone_leader();
    const auto left = leftovers.end_run(run, run, {run});
    ::waitpid(run, nullptr, 0);
    if (left.size() != 1 || left[0].pid != daemon || !is_alive({daemon, left[0].start_time})) return false;
    const pid_t next = start([] {}, true);
    await_zombie(next);
    return leftovers.end_run(next, next, {next}).empty() && identify(daemon);
  });
}

TEST(Leftovers, LeavesALeaderThatGoesOnAndOtherRunsAlone) {
  in_own_process([] {
    Leftovers leftovers;
    const auto with_child = [] {
      start(sleep_for_ever);
      sleep_for_ever();
    };
    const pid_t resident = start(with_child, true);
    const pid_t other = start(with_child, true);
    if (!has_descendants(4)) return false;
    while (::getsid(resident) != resident || ::getsid(other) != other) std::this_thread::yield();
    if (!leftovers.end_run(resident, resident, {resident, other}).empty()) return false;
    return has_descendants(3) && identify(resident) && identify(other);
  });
}

/// What a resource tracker does: waits until the last writer of `pipe` is gone, then cleans up.
void clean_up_after(const int pipe[2], const char* file) {
  ::dup2(pipe[0], 0);
  ::close(pipe[1]);
  const auto script = std::string("read nothing; rm ") + file + " # resource_tracker import main";
  ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
}

TEST(Leftovers, LetsHelpersCleanUpAfterTheOthers) {
  in_own_process([] {
    Leftovers leftovers;
    char file[] = "/tmp/stest-forgotten-XXXXXX";
    ::close(::mkstemp(file));
    const pid_t run = start(
        [&] {
          int pipe[2];
          if (::pipe(pipe) != 0) return;
          start([&] { clean_up_after(pipe, file); });
          start(sleep_for_ever);  // Holds the pipe open.
        },
        true);
    await_zombie(run);
    if (!has_descendants(2)) return false;
    const auto is_helper = [](int pid) {
      return command_line(pid).find("resource_tracker") != std::string::npos;
    };
    while (!std::ranges::any_of(descendants(::getpid()), is_helper)) std::this_thread::yield();
    return leftovers.end_run(run, run, {run}).empty() && has_descendants(0) && ::access(file, F_OK) != 0;
  });
}

TEST(Leftovers, KnowsASessionThatTheRunHasLeft) {
  in_own_process([] {
    Leftovers leftovers;
    const pid_t founder = start([] {
      ::setsid();
      start([] {
        start(sleep_for_ever);
        ::setsid();
        start(sleep_for_ever);
      });
    });
    // One sleeps where the run began, one in the session that its process has made, and has left by its end.
    pid_t run = -1;
    for (std::vector<int> living; living.size() != 2 || run < 0 || identify(run);) {
      living = descendants(::getpid());
      for (const pid_t pid : living) run = ::getsid(pid) != founder ? ::getsid(pid) : run;
      std::this_thread::yield();
    }
    return leftovers.end_run(run, founder, {run}).empty() && has_descendants(0);
  });
}

TEST(Leftovers, CollectsOrphansAndNobodyElse) {
  in_own_process([] {
    Leftovers leftovers;
    const pid_t own = start([] {});
    await_zombie(own);
    const pid_t orphan = start([] {});
    await_zombie(orphan);
    Leftovers::reap({own});
    return ::waitpid(orphan, nullptr, 0) < 0 && ::waitpid(own, nullptr, 0) == own;
  });
}

TEST(Leftovers, CatchesWhatForksAllTheTime) {
  in_own_process([] {
    Leftovers leftovers;
    const auto chain = [] {
      while (::fork() == 0) {  // Each goes on in its child, and ends.
      }
    };
    const pid_t run = start([&] { start(chain); }, true);
    await_zombie(run);
    return leftovers.end_run(run, run, {run}).empty() && has_descendants(0);
  });
}

}  // namespace
}  // namespace stest
