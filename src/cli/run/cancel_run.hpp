#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "cli/project.hpp"
#include "cli/terminal/console.hpp"
#include "client/client.hpp"

namespace stest {

/// The options of `stest cancel`.
struct CancelOptions {
  std::optional<std::uint64_t> id;  ///< Nothing: see `choose_run`.
  CancelHow how = CancelHow::interrupt;
};

/// `stest cancel`: asks the daemon to end a run; does not wait until it has ended.
///
/// Errors: `not_running` if there is no daemon or no such run; `usage` if several runs match.
Result<ExitCode> cancel_run(const CancelOptions& options, const Project& project, Console& console);

/// Chooses a run from the daemon's status: the one with this id. Without an id, the only one that runs; if
/// none runs, the only one that waits. Errors as above.
Result<nlohmann::json> choose_run(const nlohmann::json& status, std::optional<std::uint64_t> id);

}  // namespace stest
