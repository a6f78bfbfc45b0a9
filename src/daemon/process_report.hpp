#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace stest {

/// Why a process below the daemon exists.
enum class ProcessRole {
  daemon,
  worker,        ///< The last used one.
  other_worker,  ///< Of runs with other variables.
  snapshot,      ///< Forked from a worker: does a run ahead, or tries out a module.
  values,        ///< The value process.
  resident,      ///< The resident process, between runs.
  run,           ///< Runs tests, or was started by them.
  left_behind,   ///< A run has left it running, or it was started by such a process.
  other,         ///< Its parent has died, and it will end soon as a rule.
};

/// A process whose role is known, and the run that it belongs to.
struct KnownProcess {
  ProcessRole role = ProcessRole::other;
  std::optional<std::uint64_t> run;
};

/// By pid.
using KnownProcesses = std::map<int, KnownProcess>;

/// This process and all its descendants, with their memory: the field "processes" of `GET /v1/status`. A
/// process that is not known belongs to its nearest ancestor that is.
nlohmann::json report_processes(const KnownProcesses& known);

}  // namespace stest
