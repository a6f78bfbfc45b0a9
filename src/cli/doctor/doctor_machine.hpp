#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "cli/doctor/finding.hpp"
#include "common/os/runtime_paths.hpp"

/// The checks of `stest doctor` that concern the machine and the project's folder. They change nothing,
/// except that they create a missing state folder.
namespace stest {

Finding check_state_folder(const RuntimePaths& paths);

Finding check_disk(const std::filesystem::path& folder);
Finding judge_space(std::uint64_t bytes, std::uint64_t files, const std::filesystem::path& folder);

Finding check_proc(const std::filesystem::path& proc = "/proc");
Finding check_inotify(const std::filesystem::path& proc = "/proc");
Finding check_memory(std::optional<std::uint64_t> limit, const std::string& cgroup);
/// `soft` and `hard` of RLIMIT_NOFILE.
Finding check_open_files(std::uint64_t soft, std::uint64_t hard);

}  // namespace stest
