#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "stest/error.hpp"

namespace stest {

/// Writes `text` beside the file and renames it, so that a reader sees the old or the new one. `mode` is the
/// new file's, whatever the umask.
Status replace_file(const std::filesystem::path& file, std::string_view text, mode_t mode);

}  // namespace stest
