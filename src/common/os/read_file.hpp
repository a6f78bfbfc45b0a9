#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// The whole content of a file; nothing if it does not exist. Errors: `internal`. (A stream of the standard
/// library throws if the path is a folder.)
Result<std::optional<std::string>> read_file(const std::filesystem::path& path);

}  // namespace stest
