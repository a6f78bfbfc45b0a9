#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/worker_key.hpp"
#include "daemon/worker_process.hpp"

namespace stest {

/// One worker as the manager knows it, from its start to its end. The manager's mutex guards all but
/// `key`, `process` and `use_learned`, which never change once it listens.
struct WorkerInstance {
  enum class State {
    starting,  ///< Has not greeted.
    warming,   ///< Imports.
    ready,     ///< Takes runs.
    ended,     ///< Gone, with all its descendants.
  };

  WorkerKey key;
  bool use_learned = true;        ///< Whether the learned list is preloaded.
  std::uintmax_t log_offset = 0;  ///< Where the log ended when the worker started.

  State state = State::starting;
  int claims = 0;                  ///< Runs that wait for it or run on it.
  std::vector<std::string> asked;  ///< The modules that it was told to preload.
  std::string importing;           ///< The module being imported.
  protocol::Ready ready;           ///< The last one; empty before the greeting.
  SitesState sites;                ///< At the time of the greeting.
  std::optional<protocol::Unfit> unfit;
  std::optional<Error> refused;  ///< Why the daemon killed it.
  bool dismissed = false;        ///< The daemon ended it, through no fault of any module.
  ExitStatus exit;
  std::optional<protocol::Ready::LeftOut> lesson;  ///< The module that its end is blamed on.

  std::unique_ptr<WorkerProcess> process;

  /// Notes the end, and returns the module that the next worker must not preload, if it is to blame.
  std::optional<protocol::Ready::LeftOut> end(const ExitStatus& status);

  /// The error of a run that waited for this worker, which ended before it was ready.
  Error failure(const std::filesystem::path& log_file) const;

  /// The "worker" of `GET /v1/status`. `unfit_before` is what earlier workers found unfit.
  nlohmann::json describe(const std::vector<protocol::Ready::LeftOut>& unfit_before) const;

  std::set<std::string> env_reads() const;
  /// Why it cannot serve `wanted`; nothing if it can, now or once it is ready.
  std::optional<Restart> unfit_for(const WorkerKey& wanted, std::optional<std::uint64_t> memory_limit) const;
};

std::string_view name(WorkerInstance::State state);

}  // namespace stest
