#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "cli/project.hpp"
#include "cli/terminal/console.hpp"
#include "client/client.hpp"

namespace stest {

/// What `stest cancel` is asked for.
struct CancelOptions {
  std::optional<std::uint64_t> id;  ///< Nothing: the run that goes on.
  CancelHow how = CancelHow::interrupt;
};

/// `stest cancel`: asks the daemon to end a run; does not wait until it has ended.
///
/// Errors: `not_running` where there is no daemon or no such run; `usage` where `id` is needed.
Result<ExitCode> cancel_run(const CancelOptions& options, const Project& project, Console& console);

/// Which run is meant, of those in the daemon's status: the one with this id; without an id the only one
/// that runs, or where none does, the only one that waits. Errors as above.
Result<nlohmann::json> choose_run(const nlohmann::json& status, std::optional<std::uint64_t> id);

}  // namespace stest
