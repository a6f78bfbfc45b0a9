#pragma once

#include <filesystem>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// Makes spdlog's default logger write to `file`, with limited size, flushed at each line; to stderr if
/// `file` is empty. `level` is DEBUG, INFO, WARNING or ERROR. Errors: `config` for another level; `internal`.
Status init_logging(const std::filesystem::path& file, const std::string& level);

}  // namespace stest
