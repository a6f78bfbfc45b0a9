#include "common/config/logging.hpp"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <optional>
#include <utility>

namespace stest {
namespace {

constexpr std::size_t kMaxLogSize = 5u << 20;
constexpr std::size_t kOldLogs = 1;

constexpr std::array<std::pair<const char*, spdlog::level::level_enum>, 4> kLevels{{
    {"DEBUG", spdlog::level::debug},
    {"INFO", spdlog::level::info},
    {"WARNING", spdlog::level::warn},
    {"ERROR", spdlog::level::err},
}};

std::optional<spdlog::level::level_enum> parse_level(const std::string& name) {
  for (const auto& [candidate, level] : kLevels) {
    if (name == candidate) return level;
  }
  return std::nullopt;
}

spdlog::sink_ptr make_sink(const std::filesystem::path& file) {
  if (file.empty()) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), kMaxLogSize, kOldLogs);
}

}  // namespace

Status init_logging(const std::filesystem::path& file, const std::string& level) {
  const auto known = parse_level(level);
  if (!known) {
    return fail(ErrorCode::config, "unknown log level '" + level + "'",
                "Accepted: DEBUG, INFO, WARNING, ERROR.");
  }
  try {
    auto logger = std::make_shared<spdlog::logger>("stest", make_sink(file));
    logger->set_level(*known);
    logger->flush_on(spdlog::level::trace);
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %P %l %v");
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::internal, std::string("cannot open the log: ") + error.what());
  }
  return {};
}

}  // namespace stest
