#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// The logs of the project: the daemon's, and what pytest showed in runs with a brief report.
nlohmann::json resources_json();

/// The contents of one of these. Errors: `not_found`.
Result<nlohmann::json> read_resource(const std::string& uri);

}  // namespace stest
