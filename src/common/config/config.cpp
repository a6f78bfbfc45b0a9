#include "stest/config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "common/config/near_miss.hpp"
#include "common/config/setting_values.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

constexpr std::string_view kFile = "pyproject.toml";
constexpr std::string_view kTable = "[tool.sprintest]";

/// Sets a value in the configuration; false if the value is not accepted.
using Apply = bool (*)(Config&, const RawValue&);

/// One setting: a row of the table that drives parsing, errors and documentation.
struct Setting {
  std::string_view key;
  std::string_view variable;
  std::string_view accepts;
  std::string_view fallback;
  Apply apply;  ///< Null: others read the variable, `runtime_paths` for example.
};

template <class Target, class Value>
bool assign(Target& target, std::optional<Value> value) {
  if (!value) return false;
  if constexpr (std::is_same_v<Target, std::optional<Value>>) {
    target = std::move(value);
  } else {
    target = std::move(*value);
  }
  return true;
}

bool assign_one_of(std::string& target, const RawValue& raw,
                   std::initializer_list<std::string_view> accepted) {
  const std::optional<std::string> text = parse_text(raw);
  if (!text || std::find(accepted.begin(), accepted.end(), *text) == accepted.end()) return false;
  target = *text;
  return true;
}

bool assign_gpus(Config& config, const RawValue& raw) {
  if (parse_text(raw) == "auto") config.gpus = std::numeric_limits<int>::max();
  if (const auto count = parse_int(raw, 1, 1024)) config.gpus = *count;
  if (auto list = parse_list(raw)) config.gpus = std::move(*list);
  return config.gpus.has_value();
}

constexpr std::string_view kModules = "a list of strings";
constexpr std::string_view kDuration = "seconds, or a duration such as \"500ms\", \"30s\", \"5m\" or \"2h\"";
constexpr std::string_view kSize = "bytes, or a size such as \"512MB\", \"8GB\" or \"8GiB\"";

constexpr std::array kSettings{
    Setting{"ignore", "", kModules, "[]",
            [](Config& config, const RawValue& raw) { return assign(config.ignore, parse_list(raw)); }},
    Setting{"preload", "", kModules, "[]",
            [](Config& config, const RawValue& raw) { return assign(config.preload, parse_list(raw)); }},
    Setting{"isolation", "SPRINTEST_ISOLATION", "\"fork\" or \"resident\"", "fork",
            [](Config& config, const RawValue& raw) {
              return assign_one_of(config.isolation, raw, {"fork", "resident"});
            }},
    Setting{"reload", "SPRINTEST_RELOAD", "\"clean\" or \"surgical\"", "clean",
            [](Config&, const RawValue& raw) {
              std::string unused;
              return assign_one_of(unused, raw, {"clean", "surgical"});
            }},
    Setting{"target", "SPRINTEST_TARGET_PKG", "the name of a package", "found",
            [](Config& config, const RawValue& raw) { return assign(config.target, parse_text(raw)); }},
    Setting{"target_path", "SPRINTEST_TARGET_PKG_PATH", "the folder of a package", "found",
            [](Config& config, const RawValue& raw) { return assign(config.target_path, parse_text(raw)); }},
    Setting{
        "stuck_after", "SPRINTEST_STUCK_AFTER", kDuration, "30s",
        [](Config& config, const RawValue& raw) { return assign(config.stuck_after, parse_duration(raw)); }},
    Setting{
        "hang_timeout", "SPRINTEST_HANG_TIMEOUT", kDuration, "none",
        [](Config& config, const RawValue& raw) { return assign(config.hang_timeout, parse_duration(raw)); }},
    Setting{
        "idle_timeout", "SPRINTEST_IDLE_TIMEOUT", kDuration, "2h",
        [](Config& config, const RawValue& raw) { return assign(config.idle_timeout, parse_duration(raw)); }},
    Setting{"worker_timeout", "SPRINTEST_WORKER_TIMEOUT", kDuration, "5m",
            [](Config& config, const RawValue& raw) {
              return assign(config.worker_timeout, parse_duration(raw));
            }},
    Setting{"concurrency", "SPRINTEST_CONCURRENCY", "a whole number from 1 to 256", "processors",
            [](Config& config, const RawValue& raw) {
              return assign(config.concurrency, parse_int(raw, 1, 256));
            }},
    Setting{"memory_limit", "SPRINTEST_MEMORY_LIMIT", kSize, "none",
            [](Config& config, const RawValue& raw) { return assign(config.memory_limit, parse_size(raw)); }},
    Setting{"prime", "SPRINTEST_PRIME", "true or false", "true",
            [](Config& config, const RawValue& raw) { return assign(config.prime, parse_bool(raw)); }},
    Setting{
        "wait_for_worker", "SPRINTEST_WAIT_FOR_WORKER", "true or false", "false",
        [](Config& config, const RawValue& raw) { return assign(config.wait_for_worker, parse_bool(raw)); }},
    Setting{
        "verify_failures", "SPRINTEST_VERIFY_FAILURES", "true or false", "false",
        [](Config& config, const RawValue& raw) { return assign(config.verify_failures, parse_bool(raw)); }},
    Setting{"gpus", "", "\"auto\", a number of GPUs, or a list of strings such as [\"0\", \"2\"]", "none",
            [](Config& config, const RawValue& raw) { return assign_gpus(config, raw); }},
    Setting{"", "SPRINTEST_FORCE_TCP", "true or false", "false",
            [](Config& config, const RawValue& raw) { return assign(config.force_tcp, parse_bool(raw)); }},
    Setting{
        "", "SPRINTEST_PORT", "a whole number from 1 to 65535", "8000, else a free one",
        [](Config& config, const RawValue& raw) { return assign(config.port, parse_int(raw, 1, 65535)); }},
    Setting{"", "SPRINTEST_DIR", "a folder", ".sprintest", nullptr},
    Setting{"", "SPRINTEST_LOCK_FILE", "a file", "daemon.lock in that folder", nullptr},
    Setting{"", "SPRINTEST_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR", "INFO",
            [](Config& config, const RawValue& raw) {
              return assign_one_of(config.log_level, raw, {"DEBUG", "INFO", "WARNING", "ERROR"});
            }},
    Setting{"", "SPRINTEST_PYTHON", "an interpreter, a virtual environment or a command", "stest's own",
            nullptr},
    Setting{"", "SPRINTEST_REPORT", "brief or full", "brief for coding agents, else full", nullptr},
};

// ---- errors ----

std::string at_line(const toml::source_region& source) {
  return std::string(kFile) + ":" + std::to_string(source.begin.line) + ": ";
}

std::string accepted_keys() {
  std::string list;
  for (const Setting& setting : kSettings) {
    if (setting.key.empty()) continue;
    list += (list.empty() ? "" : ", ") + std::string(setting.key);
  }
  return list;
}

/// "Did you mean 'ignore'? "; empty if no key is similar.
std::string suggestion(std::string_view unknown) {
  std::vector<std::string> keys;
  for (const Setting& setting : kSettings) keys.emplace_back(setting.key);
  const auto nearest = near_miss(unknown, keys);
  return nearest.empty() ? std::string() : "Did you mean '" + nearest + "'? ";
}

tl::unexpected<Error> unknown_key(const toml::key& key) {
  const std::string name(key.str());
  return fail(ErrorCode::config,
              at_line(key.source()) + "unknown key '" + name + "' in " + std::string(kTable),
              suggestion(name) + "Accepted keys: " + accepted_keys() + ".");
}

std::string value_hint(const Setting& setting) { return "Accepted: " + std::string(setting.accepts) + "."; }

// ---- values ----

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get());
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list with items that are not strings";
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

/// The strings of an array; nothing if it has other items.
std::optional<std::vector<std::string>> strings_of(const toml::array& array) {
  std::vector<std::string> strings;
  for (const toml::node& item : array) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    strings.push_back(text->get());
  }
  return strings;
}

RawValue raw_value(const toml::node& node) {
  RawValue raw{RawValue::Other{}, describe(node), false};
  if (const auto* text = node.as_string()) raw.value = text->get();
  if (const auto* whole = node.as_integer()) raw.value = whole->get();
  if (const auto* real = node.as_floating_point()) raw.value = real->get();
  if (const auto* flag = node.as_boolean()) raw.value = flag->get();
  if (const auto* array = node.as_array()) {
    if (auto strings = strings_of(*array)) {
      raw.value = std::move(*strings);
      raw.text = "a list of strings";
    }
  }
  return raw;
}

// ---- pyproject.toml ----

Result<std::optional<std::string>> read_project_file(const std::filesystem::path& path) {
  Result<std::optional<std::string>> text = read_file(path);
  if (text) return text;
  return fail(ErrorCode::config, text.error().message, "Check that it is a file and that you may read it.");
}

Result<toml::table> parse_toml(const std::string& text) {
  try {
    return toml::table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::config,
                at_line(error.source()) + "not valid TOML: " + std::string(error.description()),
                "Correct the file at that line.");
  }
}

/// What is in the table `tool` by this name, or null.
const toml::node* find_tool(const toml::table& document, std::string_view name) {
  const toml::node* tool = document.get("tool");
  return tool != nullptr && tool->is_table() ? tool->as_table()->get(name) : nullptr;
}

/// `[tool.sprintest]`, or null if there is none.
Result<const toml::table*> find_table(const toml::table& document) {
  const toml::node* found = find_tool(document, "sprintest");
  if (found != nullptr && !found->is_table()) {
    return fail(ErrorCode::config, at_line(found->source()) + "tool.sprintest is not a table",
                "Write " + std::string(kTable) + " and its keys below it.");
  }
  return found != nullptr ? found->as_table() : nullptr;
}

Status apply_key(Config& config, const toml::key& key, const toml::node& value) {
  const auto* setting = std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& candidate) {
    return !candidate.key.empty() && candidate.key == key.str();
  });
  if (setting == kSettings.end()) return unknown_key(key);
  const RawValue raw = raw_value(value);
  if (setting->apply(config, raw)) return {};
  return fail(ErrorCode::config,
              at_line(value.source()) + "bad value for '" + std::string(setting->key) + "' in " +
                  std::string(kTable) + ": " + raw.text,
              value_hint(*setting));
}

/// Applies the keys in the order of their lines, so that the first error in the file is reported.
Status apply_table(Config& config, const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, value] : table) entries.emplace_back(&key, &value);
  std::sort(entries.begin(), entries.end(), [](const auto& left, const auto& right) {
    const toml::source_position& a = left.first->source().begin;
    const toml::source_position& b = right.first->source().begin;
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  for (const auto& [key, value] : entries) {
    if (Status status = apply_key(config, *key, *value); !status) return status;
  }
  return {};
}

Status apply_project(Config& config, const std::filesystem::path& root) {
  const Result<std::optional<std::string>> text = read_project_file(root / kFile);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return {};
  const Result<toml::table> document = parse_toml(**text);
  if (!document) return tl::unexpected(document.error());
  const Result<const toml::table*> table = find_table(*document);
  if (!table) return tl::unexpected(table.error());
  if (const toml::node* misnamed = find_tool(*document, "stest")) {
    config.warnings.push_back(at_line(misnamed->source()) + "[tool.stest] is not read; stest's table is " +
                              std::string(kTable));
  }
  return *table != nullptr ? apply_table(config, **table) : Status();
}

// ---- variables ----

/// An empty variable counts as unset.
Status apply_variables(Config& config, const Environment& env) {
  for (const Setting& setting : kSettings) {
    const auto value = value_of(env, std::string(setting.variable));
    if (setting.apply == nullptr || value.empty()) continue;
    const RawValue raw{value, in_quotes(value), true};
    if (setting.apply(config, raw)) continue;
    return fail(ErrorCode::config, std::string(setting.variable) + ": bad value " + raw.text,
                value_hint(setting));
  }
  return {};
}

/// The warning about a variable that is none of stest's, but looks like one. Empty for all others.
std::string warning_about(const std::string& name) {
  const std::string prefix = "SPRINTEST_";
  if (!name.starts_with("STEST_") && !name.starts_with(prefix)) return {};
  std::vector<std::string> known;
  for (const Setting& setting : kSettings) known.emplace_back(setting.variable);
  const auto is_known = [&](const std::string& variable) {
    return std::find(known.begin(), known.end(), variable) != known.end();
  };
  if (name.starts_with("STEST_") && is_known(prefix + name.substr(6))) {
    return name + " is not read; the variable is " + prefix + name.substr(6);
  }
  if (!name.starts_with(prefix) || is_known(name)) return {};
  const auto nearest = near_miss(name, known);
  return name + " is not read; " +
         (nearest.empty() ? "`stest --help` lists the variables" : "did you mean " + nearest + "?");
}

void warn_about_variables(Config& config, const Environment& env) {
  for (const auto& [name, value] : env) {
    auto warning = warning_about(name);
    if (!value.empty() && !warning.empty()) config.warnings.push_back(std::move(warning));
  }
}

Status check_target_path(const Config& config, const std::filesystem::path& root) {
  std::error_code ignored;
  if (!config.target_path || std::filesystem::is_directory(root / *config.target_path, ignored)) return {};
  return fail(
      ErrorCode::config, "target_path is not a folder: " + *config.target_path,
      "Name the folder of the package under development; relative paths count from the project's root.");
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& root, const Environment& env) {
  Config config;
  if (Status status = apply_project(config, root); !status) return tl::unexpected(status.error());
  if (Status status = apply_variables(config, env); !status) return tl::unexpected(status.error());
  warn_about_variables(config, env);
  if (Status status = check_target_path(config, root); !status) return tl::unexpected(status.error());
  if (config.isolation == "resident" && config.concurrency > 1) {
    return fail(
        ErrorCode::config, "isolation is \"resident\" and concurrency is more than 1",
        "The resident process does one run at a time: set concurrency to 1, or isolation to \"fork\".");
  }
  return config;
}

Result<Config> load_variables(const Environment& env) {
  Config config;
  return apply_variables(config, env).map([&] { return config; });
}

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> keys;
  keys.reserve(kSettings.size());
  for (const Setting& setting : kSettings) {
    keys.push_back({std::string(setting.key), std::string(setting.variable), std::string(setting.accepts),
                    std::string(setting.fallback)});
  }
  return keys;
}

}  // namespace stest
