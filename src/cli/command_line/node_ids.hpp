#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace stest {

/// The node ids that pytest keeps in its cache in `root`, as somebody in `cwd` types them, and which begin
/// with `prefix`. None if there is no such cache.
std::vector<std::string> node_ids(const std::filesystem::path& root, const std::filesystem::path& cwd,
                                  const std::string& prefix);

}  // namespace stest
