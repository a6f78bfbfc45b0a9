#include "cli/mcp/mcp_resources.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "cli/project.hpp"
#include "cli/terminal/ansi_filter.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> logs_of_project() {
  const auto project = current_project();
  if (!project) return {};
  std::vector<fs::path> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(project->paths.directory / "logs", error))
    logs.push_back(entry.path());
  std::sort(logs.rbegin(), logs.rend());
  if (fs::exists(project->paths.log_file, error)) logs.push_back(project->paths.log_file);
  return logs;
}

std::string uri_of(const fs::path& file) { return "stest://logs/" + file.filename().string(); }

}  // namespace

nlohmann::json resources_json() {
  auto list = nlohmann::json::array();
  for (const auto& log : logs_of_project()) {
    list.push_back({{"uri", uri_of(log)}, {"name", log.filename().string()}, {"mimeType", "text/plain"}});
  }
  return list;
}

Result<nlohmann::json> read_resource(const std::string& uri) {
  for (const auto& log : logs_of_project()) {
    if (uri_of(log) != uri) continue;
    const auto text = read_file(log);
    if (!text) return tl::unexpected(text.error());
    return nlohmann::json{{"uri", uri}, {"mimeType", "text/plain"}, {"text", plain_text(text->value_or(""))}};
  }
  return fail(ErrorCode::not_found, "there is no log " + uri);
}

}  // namespace stest
