#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace stest {

class FieldReader;

/// A resource limit; nothing is unlimited.
struct Limit {
  std::optional<std::uint64_t> soft;
  std::optional<std::uint64_t> hard;
  bool operator==(const Limit&) const = default;
};

/// What a process leads, besides itself: a shell makes each job a group, `setsid` each a session.
enum class Leads { nothing = 0, group = 1, session = 2 };

/// What a process inherits from whoever starts it, besides folder, environment, umask and descriptors.
struct ProcessAttributes {
  std::vector<int> affinity;  ///< The processors that it may use.
  int nice = 0;
  int policy = 0;    ///< Of the scheduler, as in `sched_setscheduler`.
  int priority = 0;  ///< A real-time policy's.
  int io_priority = 0;
  std::map<std::string, Limit> limits;  ///< By the names of `ulimit`'s manual, such as "nofile".
  std::vector<int> ignored_signals;     ///< But for SIGPIPE and SIGXFSZ, which Python always ignores.
  std::vector<int> blocked_signals;
  int oom_score_adj = 0;
  Leads leads = Leads::nothing;

  bool operator==(const ProcessAttributes&) const = default;
};

/// The calling thread's, as they are now.
ProcessAttributes current_attributes();

/// Gives this process, which has one thread, all of them but what it `leads` and the signals that it ignores.
/// Returns why that cannot be, in a sentence for the user, where it cannot.
std::optional<std::string> apply(const ProcessAttributes& attributes);

/// Why no process that has loaded more than it needs can do what a fresh one with these can.
std::optional<std::string> needs_fresh_process(const ProcessAttributes& attributes);

/// Sets the score by which the kernel chooses a process when memory runs out. Errors are none of the caller's
/// business: without the right to it, or without /proc, it stays as it is.
void set_oom_score_adj(int score);

/// For the daemon, which serves others than the one that started it: takes back what may be taken back of
/// that one's affinity, and of those of its limits that could stop the daemon.
void widen_limits();

/// Restricts what is executed next to these processors. Async-signal-safe.
void set_affinity(const std::vector<int>& processors);

nlohmann::json to_json(const ProcessAttributes& attributes);
void read(FieldReader& fields, ProcessAttributes& out);

}  // namespace stest
