#include "cli/command_line/node_ids.hpp"

#include <nlohmann/json.hpp>

#include "common/os/read_file.hpp"

namespace stest {
namespace {

/// "sub/" in a folder below the root. Node ids begin at the root.
std::string folder_prefix(const std::filesystem::path& root, const std::filesystem::path& cwd) {
  const auto below = cwd.lexically_relative(root).string();
  return below == "." || below.empty() ? "" : below + "/";
}

}  // namespace

std::vector<std::string> node_ids(const std::filesystem::path& root, const std::filesystem::path& cwd,
                                  const std::string& prefix) {
  const auto text = read_file(root / ".pytest_cache/v/cache/nodeids");
  if (!text || !*text) return {};
  const auto cached = nlohmann::json::parse(**text, nullptr, false);
  if (!cached.is_array()) return {};
  const auto folder = folder_prefix(root, cwd);
  const auto start = folder + prefix;
  std::vector<std::string> found;
  for (const auto& item : cached) {
    const auto* id = item.get_ptr<const std::string*>();
    if (id && id->rfind(start, 0) == 0) found.push_back(id->substr(folder.size()));
  }
  return found;
}

}  // namespace stest
