#include "stest/process_attributes.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "common/os/fd.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

constexpr std::array<std::pair<const char*, __rlimit_resource>, 16> resources{
    {{"as", RLIMIT_AS},
     {"core", RLIMIT_CORE},
     {"cpu", RLIMIT_CPU},
     {"data", RLIMIT_DATA},
     {"fsize", RLIMIT_FSIZE},
     {"locks", RLIMIT_LOCKS},
     {"memlock", RLIMIT_MEMLOCK},
     {"msgqueue", RLIMIT_MSGQUEUE},
     {"nice", RLIMIT_NICE},
     {"nofile", RLIMIT_NOFILE},
     {"nproc", RLIMIT_NPROC},
     {"rss", RLIMIT_RSS},
     {"rtprio", RLIMIT_RTPRIO},
     {"rttime", RLIMIT_RTTIME},
     {"sigpending", RLIMIT_SIGPENDING},
     {"stack", RLIMIT_STACK}}};

constexpr const char* oom_file = "/proc/self/oom_score_adj";
constexpr int io_of_process = 1;  // IOPRIO_WHO_PROCESS; the C library has no header for these calls.

/// Room for more processors than any kernel supports.
using Processors = std::array<cpu_set_t, 8>;
constexpr int most_processors = static_cast<int>(sizeof(Processors) * 8);

std::vector<int> current_affinity() {
  Processors mask{};
  std::vector<int> found;
  if (::sched_getaffinity(0, sizeof mask, mask.data()) != 0) return found;
  for (int i = 0; i < most_processors; ++i) {
    if (CPU_ISSET_S(static_cast<std::size_t>(i), sizeof mask, mask.data())) found.push_back(i);
  }
  return found;
}

std::optional<std::uint64_t> finite(rlim_t value) {
  if (value == RLIM_INFINITY) return std::nullopt;
  return value;
}

Limit current_limit(__rlimit_resource resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return {finite(limit.rlim_cur), finite(limit.rlim_max)};
}

bool set_limit(__rlimit_resource resource, const Limit& limit) {
  const rlimit wanted{limit.soft.value_or(RLIM_INFINITY), limit.hard.value_or(RLIM_INFINITY)};
  return ::setrlimit(resource, &wanted) == 0;
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

int current_oom_score_adj() {
  int score = 0;
  if (const auto text = read_file(oom_file); text && *text) {
    std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), score);
  }
  return score;
}

Leads current_lead() {
  if (::getsid(0) == ::getpid()) return Leads::session;
  return ::getpgrp() == ::getpid() ? Leads::group : Leads::nothing;
}

int current_io_priority() {
  const auto priority = ::syscall(SYS_ioprio_get, io_of_process, 0);
  return priority < 0 ? 0 : static_cast<int>(priority);
}

int current_nice() { return ::getpriority(PRIO_PROCESS, 0); }

std::string text(const std::optional<std::uint64_t>& limit) {
  return limit ? std::to_string(*limit) : "unlimited";
}

/// The message for an attribute that a process of the daemon may not set.
std::string out_of_reach(const std::string& what, const std::string& wanted, const std::string& has) {
  return "the daemon was started with " + what + " " + has + " and may not go back to " + wanted +
         "; `stest restart` starts it from here";
}

std::optional<std::string> apply_schedule(const ProcessAttributes& wanted) {
  if (!wanted.affinity.empty() && wanted.affinity != current_affinity()) {
    set_affinity(wanted.affinity);
    if (wanted.affinity != current_affinity()) return "the daemon cannot use the client's CPU affinity";
  }
  if (const int policy = ::sched_getscheduler(0); policy != wanted.policy) {
    const sched_param parameters{wanted.priority};
    if (::sched_setscheduler(0, wanted.policy, &parameters) != 0) {
      return out_of_reach("scheduling policy", std::to_string(wanted.policy), std::to_string(policy));
    }
  }
  if (const int nice = current_nice(); nice != wanted.nice) {
    if (::setpriority(PRIO_PROCESS, 0, wanted.nice) != 0) {
      return out_of_reach("niceness", std::to_string(wanted.nice), std::to_string(nice));
    }
  }
  if (current_io_priority() != wanted.io_priority &&
      ::syscall(SYS_ioprio_set, io_of_process, 0, wanted.io_priority) != 0) {
    return "the daemon cannot use the client's I/O priority; `stest restart` starts it from here";
  }
  return std::nullopt;
}

std::optional<std::string> apply_limits(const ProcessAttributes& wanted) {
  for (const auto& [name, resource] : resources) {
    const auto limit = wanted.limits.find(name);
    if (limit == wanted.limits.end()) continue;
    const auto has = current_limit(resource);
    if (has == limit->second || set_limit(resource, limit->second)) continue;
    return out_of_reach(std::string("a hard limit of resources (") + name + ") of", text(limit->second.hard),
                        text(has.hard));
  }
  return std::nullopt;
}

void apply_blocked_signals(const ProcessAttributes& wanted) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : wanted.blocked_signals) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_SETMASK, &set, nullptr);
}

}  // namespace

ProcessAttributes current_attributes() {
  ProcessAttributes now;
  now.affinity = current_affinity();
  now.nice = current_nice();
  now.policy = ::sched_getscheduler(0);
  sched_param parameters{};
  if (::sched_getparam(0, &parameters) == 0) now.priority = parameters.sched_priority;
  now.io_priority = current_io_priority();
  for (const auto& [name, resource] : resources) now.limits[name] = current_limit(resource);
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal != SIGPIPE && signal != SIGXFSZ && is_ignored(signal)) now.ignored_signals.push_back(signal);
    if (sigismember(&blocked, signal) == 1) now.blocked_signals.push_back(signal);
  }
  now.oom_score_adj = current_oom_score_adj();
  now.leads = current_lead();
  return now;
}

std::optional<std::string> apply(const ProcessAttributes& attributes) {
  if (auto why = needs_fresh_process(attributes)) return why;
  // The schedule first, because the new limits may not permit it.
  if (auto why = apply_schedule(attributes)) return why;
  if (auto why = apply_limits(attributes)) return why;
  set_oom_score_adj(attributes.oom_score_adj);
  if (const int score = current_oom_score_adj(); score != attributes.oom_score_adj) {
    return out_of_reach("oom_score_adj", std::to_string(attributes.oom_score_adj), std::to_string(score));
  }
  apply_blocked_signals(attributes);
  return std::nullopt;
}

std::optional<std::string> needs_fresh_process(const ProcessAttributes& attributes) {
  for (const char* name : {"as", "data"}) {
    const auto limit = attributes.limits.find(name);
    if (limit == attributes.limits.end() || !limit->second.soft) continue;
    return std::string("memory is limited (") + (name[0] == 'a' ? "ulimit -v" : "ulimit -d") +
           "), and a warm process needs more of it than a fresh one";
  }
  return std::nullopt;
}

void set_oom_score_adj(int score) {
  const Fd file(::open(oom_file, O_WRONLY | O_CLOEXEC));
  if (file && score != current_oom_score_adj()) (void)write_all(file.get(), std::to_string(score));
}

void widen_limits() {
  for (const auto resource :
       {RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC}) {
    const auto limit = current_limit(resource);
    set_limit(resource, {limit.hard, limit.hard});
  }
  Processors all;
  std::fill_n(reinterpret_cast<unsigned char*>(all.data()), sizeof all, 0xff);
  ::sched_setaffinity(0, sizeof all, all.data());
}

void set_affinity(const std::vector<int>& processors) {
  Processors mask{};
  for (const int one : processors) {
    if (one >= 0 && one < most_processors) CPU_SET_S(static_cast<std::size_t>(one), sizeof mask, mask.data());
  }
  ::sched_setaffinity(0, sizeof mask, mask.data());
}

}  // namespace stest
