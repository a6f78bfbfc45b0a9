#pragma once

#include <filesystem>
#include <string>

#include "stest/error.hpp"

namespace stest {

/// Sends spdlog's default logger to `file`, size-limited, flushed at each line. `level` is one of
/// DEBUG, INFO, WARNING, ERROR. Where `file` is empty: stderr.
Status init_logging(const std::filesystem::path& file, const std::string& level);

}  // namespace stest
