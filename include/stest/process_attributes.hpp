#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace stest {

class FieldReader;

/// A resource limit; no value means unlimited.
struct Limit {
  std::optional<std::uint64_t> soft;
  std::optional<std::uint64_t> hard;
  bool operator==(const Limit&) const = default;
};

/// What a process leads. A shell makes each job a process group; `setsid` makes its command a session.
enum class Leads { nothing = 0, group = 1, session = 2 };

/// What a process inherits from its parent, except folder, environment, umask and descriptors.
struct ProcessAttributes {
  std::vector<int> affinity;  ///< The processors that it may use.
  int nice = 0;
  int policy = 0;    ///< The scheduling policy, as in `sched_setscheduler`.
  int priority = 0;  ///< Of a real-time policy.
  int io_priority = 0;
  std::map<std::string, Limit> limits;  ///< By resource, such as "nofile" for RLIMIT_NOFILE.
  std::vector<int> ignored_signals;     ///< Without SIGPIPE and SIGXFSZ, which Python always ignores.
  std::vector<int> blocked_signals;
  int oom_score_adj = 0;
  Leads leads = Leads::nothing;

  bool operator==(const ProcessAttributes&) const = default;
};

/// The attributes of the calling thread.
ProcessAttributes current_attributes();

/// Applies all attributes except `leads` and `ignored_signals` to this process, which must have one thread.
/// Returns the reason of a failure as a sentence for the user; nothing on success.
std::optional<std::string> apply(const ProcessAttributes& attributes);

/// Why only a fresh process can do a run with these attributes; nothing if a warm one can.
std::optional<std::string> needs_fresh_process(const ProcessAttributes& attributes);

/// Sets the score by which the kernel chooses a process to kill when memory runs out. Errors are ignored:
/// without permission, or without /proc, the score stays as it is.
void set_oom_score_adj(int score);

/// Removes the inherited CPU affinity, and raises the limits that could stop the daemon, as far as permitted.
/// The daemon serves other clients than the one that started it.
void widen_limits();

/// Restricts the calling thread to these processors. Async-signal-safe.
void set_affinity(const std::vector<int>& processors);

nlohmann::json to_json(const ProcessAttributes& attributes);
void read(FieldReader& fields, ProcessAttributes& out);

}  // namespace stest
