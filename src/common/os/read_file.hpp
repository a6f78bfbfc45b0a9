#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// The whole content of a file; nothing if there is none. Errors: `internal`, what else stood in the
/// way. (A stream of the standard library throws where the path is a folder.)
Result<std::optional<std::string>> read_file(const std::filesystem::path& path);

}  // namespace stest
