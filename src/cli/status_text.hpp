#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace stest {

/// The daemon's status JSON (`docs/http_api.md`) for a person; `now` in seconds since the epoch.
/// Fields that are missing, as those of another version's daemon may be, are left out.
std::string status_text(const nlohmann::json& status, double now);

/// The command line of one of its runs: "stest -x tests".
std::string command_of(const nlohmann::json& run);

}  // namespace stest
