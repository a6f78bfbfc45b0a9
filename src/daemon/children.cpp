#include "daemon/children.hpp"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

namespace stest {

namespace {

constexpr std::chrono::milliseconds kill_poll{5};
constexpr std::chrono::seconds kill_limit{5};

}  // namespace

Status Children::adopt_orphans() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno_error("prctl(PR_SET_CHILD_SUBREAPER)");
  return {};
}

Result<int> Children::spawn(const SpawnOptions& options) {
  // Under the lock, so that `reap_orphans` does not reap a child that dies before it is in `own_`.
  std::lock_guard lock(mutex_);
  auto pid = stest::spawn(options);
  if (pid) own_.insert(*pid);
  return pid;
}

ExitStatus Children::wait(int pid) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  ExitStatus status;
  {
    std::lock_guard lock(mutex_);
    status = wait_for(pid).value_or(ExitStatus{});
    own_.erase(pid);
  }
  reap_orphans();
  return status;
}

void Children::signal(int pid, int number) {
  std::lock_guard lock(mutex_);
  if (own_.contains(pid)) ::kill(pid, number);
}

void Children::signal_group(int pid, int number) {
  std::lock_guard lock(mutex_);
  if (own_.contains(pid)) ::kill(-pid, number);
}

void Children::reap_orphans() {
  std::lock_guard lock(mutex_);
  for (;;) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    // Stops at a child of ours: `wait` reaps it and then calls this again.
    if (info.si_pid == 0 || own_.contains(info.si_pid)) return;
    waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

bool Children::add_left(Left left) {
  std::lock_guard lock(mutex_);
  const auto is_same = [&](const Left& known) { return known.process == left.process; };
  if (std::any_of(left_.begin(), left_.end(), is_same)) return false;
  left_.push_back(std::move(left));
  return true;
}

std::vector<Children::Left> Children::left() const {
  std::lock_guard lock(mutex_);
  auto living = left_;
  std::erase_if(living, [](const Left& left) { return !is_alive(left.process); });
  return living;
}

std::vector<int> Children::orphans() const {
  auto pids = descendants(getpid());  // First: a worker that is started from here on is not among them.
  std::set<int> roots;
  for (const auto& one : left()) roots.insert(one.process.pid);
  {
    std::lock_guard lock(mutex_);
    roots.insert(own_.begin(), own_.end());
  }
  auto spared = roots;
  for (const int root : roots) {
    for (const int pid : descendants(root)) spared.insert(pid);
  }
  std::erase_if(pids, [&](int pid) { return spared.contains(pid); });
  return pids;
}

void Children::kill_all() {
  kill_until_none([] { return descendants(getpid()); });
}

void Children::kill_orphans() {
  kill_until_none([this] { return orphans(); });
}

void Children::kill_until_none(const std::function<std::vector<int>()>& find) {
  const auto deadline = std::chrono::steady_clock::now() + kill_limit;
  for (auto left = find(); !left.empty(); left = find()) {
    for (const int pid : left) ::kill(pid, SIGKILL);
    reap_orphans();
    if (std::chrono::steady_clock::now() > deadline) {
      spdlog::error("{} processes cannot be killed; the first is {}", left.size(), left.front());
      return;
    }
    std::this_thread::sleep_for(kill_poll);
  }
}

}  // namespace stest
