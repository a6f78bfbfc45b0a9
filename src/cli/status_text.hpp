#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace stest {

/// Formats the daemon's status JSON (`docs/http_api.md`); `now` in seconds since the epoch. Missing fields
/// (of a daemon of another version) are left out.
std::string status_text(const nlohmann::json& status, double now);

/// A length of time in one unit: "90 s", "5 min", "2 h".
std::string span(double seconds);

/// The command line of a run in the status: "stest -x tests".
std::string command_of(const nlohmann::json& run);

}  // namespace stest
