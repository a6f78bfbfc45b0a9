#include "daemon/run/gpu_list.hpp"

#include <algorithm>
#include <sstream>

namespace stest {
namespace {

namespace fs = std::filesystem;

constexpr auto variable = "CUDA_VISIBLE_DEVICES";

/// CUDA ignores an entry that is invalid, such as -1, and all that follow.
std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> gpus;
  std::istringstream entries(text);
  for (std::string entry; std::getline(entries, entry, ',');) {
    if (entry.empty() || entry.front() == '-') break;
    gpus.push_back(entry);
  }
  return gpus;
}

std::vector<std::string> of_this_machine(const fs::path& devices) {
  std::vector<std::string> gpus;
  std::error_code ignored;
  while (fs::exists(devices / ("nvidia" + std::to_string(gpus.size())), ignored))
    gpus.push_back(std::to_string(gpus.size()));
  return gpus;
}

}  // namespace

std::vector<std::string> gpu_list(const Config& config, const Environment& env, const fs::path& devices) {
  if (!config.gpus) return {};
  if (const auto* list = std::get_if<std::vector<std::string>>(&*config.gpus)) return *list;
  auto gpus = env.contains(variable) ? listed(env.at(variable)) : of_this_machine(devices);
  gpus.resize(std::min(gpus.size(), static_cast<std::size_t>(std::get<int>(*config.gpus))));
  return gpus;
}

}  // namespace stest
