#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "stest/error.hpp"

namespace stest {

/// Writes `text` to a new file in the same folder and renames it, so that a reader sees either the old or the
/// new content. The file gets `mode`, whatever the umask is.
Status replace_file(const std::filesystem::path& file, std::string_view text, mode_t mode);

}  // namespace stest
