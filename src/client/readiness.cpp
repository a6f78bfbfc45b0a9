#include "client/readiness.hpp"

#include <poll.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view ready_text = "ready\n";
constexpr std::string_view error_text = "error\n";

Readiness at_end(std::string_view text) {
  if (!text.starts_with(error_text)) return {Readiness::Kind::closed, {}};
  const auto json = nlohmann::json::parse(text.substr(error_text.size()), nullptr, false);
  if (!json.is_object()) return {Readiness::Kind::closed, {}};
  return {Readiness::Kind::failed, error_from_json(json)};
}

}  // namespace

Readiness ReadinessReader::wait_until(Clock::time_point deadline) {
  while (Clock::now() < deadline) {
    if (!wait_for_events(fd_, POLLIN, deadline)) continue;
    const auto read = read_some(fd_, 4096);
    if (!read || read->end) return at_end(text_);
    text_ += read->data;
    if (text_.starts_with(ready_text)) return {Readiness::Kind::ready, {}};
  }
  return {};
}

}  // namespace stest
