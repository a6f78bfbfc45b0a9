#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace stest {

/// The size of `file`; 0 if there is none.
std::uintmax_t log_size(const std::filesystem::path& file);

/// The last lines of what was appended to `file` since it had `offset` bytes, at most about 2000 bytes.
std::string log_tail(const std::filesystem::path& file, std::uintmax_t offset);

}  // namespace stest
