#include "daemon/worker/preload_store.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "common/os/replace_file.hpp"

namespace stest {

namespace {

constexpr int format_version = 4;

nlohmann::json sites_to_json(const SitesState& sites) {
  auto json = nlohmann::json::object();
  for (const auto& [path, state] : sites) {
    json[path] = {state.mtime_ns, state.ctime_ns, state.size, state.inode};
  }
  return json;
}

SitesState sites_from_json(const nlohmann::json& json) {
  SitesState sites;
  for (const auto& [path, state] : json.items()) {
    const auto part = [&state = state](std::size_t i) { return state.at(i).get<std::int64_t>(); };
    sites[path] = {part(0), part(1), part(2), part(3)};
  }
  return sites;
}

}  // namespace

bool covers(std::string_view module, std::string_view name) {
  return name.starts_with(module) && (name.size() == module.size() || name[module.size()] == '.');
}

PreloadStore::PreloadStore(std::filesystem::path file, std::filesystem::path python)
    : file_(std::move(file)), python_(std::move(python)) {
  load();
  forget_if_outdated();
}

void PreloadStore::load() {
  std::ifstream in(file_);
  if (!in) return;
  try {
    const auto json = nlohmann::json::parse(in);
    if (json.at("version") != format_version || json.at("python") != python_.string()) return;
    auto sites = sites_from_json(json.at("sites"));
    auto learned = json.at("learned").get<std::vector<std::string>>();
    auto path = json.at("path").get<std::vector<std::string>>();
    for (const auto& row : json.at("not_preloaded")) {
      not_preloaded_.push_back({row.at("module").get<std::string>(), row.at("reason").get<std::string>()});
    }
    if (const auto last = json.value("last_start", nlohmann::json()); last.is_object()) {
      started_time_ = Seconds(last.at("seconds").get<double>());
      started_modules_ = last.at("modules").get<std::size_t>();
    }
    const auto variables = json.value("variables", nlohmann::json::object());
    for (const auto& [name, value] : variables.items()) {
      variables_[name] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
    }
    sites_ = std::move(sites);
    learned_ = std::move(learned);
    path_ = std::move(path);
  } catch (const nlohmann::json::exception& error) {
    spdlog::warn("{} cannot be parsed, and its contents are dropped: {}", file_.string(), error.what());
    not_preloaded_.clear();
  }
}

void PreloadStore::forget_if_outdated() {
  const auto changed = changed_site(sites_);
  if (!changed) return;
  spdlog::info("forgetting the learned preload list: {} changed", *changed);
  sites_.clear();
  learned_.clear();
  not_preloaded_.clear();
  variables_.clear();
  changes_.clear();
  started_modules_ = 0;
}

std::vector<std::string> PreloadStore::modules(const std::vector<std::string>& configured,
                                               bool with_learned) const {
  std::vector<std::string> list;
  std::unordered_set<std::string> seen;
  const auto add = [&](const std::string& module) {
    if (!is_not_preloadable(module) && seen.insert(module).second) list.push_back(module);
  };
  std::for_each(configured.begin(), configured.end(), add);
  if (with_learned) std::for_each(learned_.begin(), learned_.end(), add);
  return list;
}

bool PreloadStore::is_not_preloadable(std::string_view module) const {
  return std::any_of(not_preloaded_.begin(), not_preloaded_.end(),
                     [&](const NotPreloaded& out) { return covers(out.name, module); });
}

Status PreloadStore::learn(const std::vector<std::string>& imported, const std::vector<std::string>& path,
                           const std::vector<std::string>& site_dirs) {
  std::unordered_set<std::string> known(learned_.begin(), learned_.end());
  const auto before = learned_.size();
  for (const auto& module : imported) {
    if (!is_not_preloadable(module) && known.insert(module).second) learned_.push_back(module);
  }
  if (learned_.size() == before) return {};
  path_ = path;
  return save(site_dirs);
}

Status PreloadStore::learn_variables(const std::string& module, const OptionalEnvironment& variables,
                                     const std::vector<std::string>& site_dirs) {
  for (const auto& [name, value] : variables) {
    if (++changes_[name] <= max_changes) {
      variables_[name] = value;
      continue;
    }
    variables_.erase(name);
    return reject({module, "runs import it with different values of " + name}, site_dirs);
  }
  return save(site_dirs);
}

Status PreloadStore::reject(NotPreloaded module, const std::vector<std::string>& site_dirs) {
  if (is_not_preloadable(module.name)) return {};
  not_preloaded_.push_back(std::move(module));
  std::erase_if(learned_, [this](const std::string& name) { return is_not_preloadable(name); });
  return save(site_dirs);
}

Status PreloadStore::remember_start(std::size_t modules, Seconds time,
                                    const std::vector<std::string>& site_dirs) {
  if (modules == 0) return {};
  started_modules_ = modules;
  started_time_ = time;
  return sites_.empty() ? save(site_dirs) : write();
}

std::optional<PreloadStore::Seconds> PreloadStore::start_time(std::size_t modules) const {
  const auto difference = std::max(modules, started_modules_) - std::min(modules, started_modules_);
  if (started_modules_ == 0 || difference * 10 > modules) return std::nullopt;
  return started_time_;
}

Status PreloadStore::save(const std::vector<std::string>& site_dirs) {
  sites_ = sites_state(python_, site_dirs);
  return write();
}

Status PreloadStore::write() const {
  nlohmann::json json{{"version", format_version},
                      {"python", python_.string()},
                      {"sites", sites_to_json(sites_)},
                      {"learned", learned_},
                      {"path", path_},
                      {"variables", nlohmann::json::object()},
                      {"not_preloaded", nlohmann::json::array()},
                      {"last_start", {{"modules", started_modules_}, {"seconds", started_time_.count()}}}};
  for (const auto& [name, value] : variables_) {
    json["variables"][name] = value ? nlohmann::json(*value) : nlohmann::json();
  }
  for (const auto& out : not_preloaded_)
    json["not_preloaded"].push_back({{"module", out.name}, {"reason", out.reason}});
  return replace_file(file_, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", 0600);
}

}  // namespace stest
