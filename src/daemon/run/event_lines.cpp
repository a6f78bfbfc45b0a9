#include "daemon/run/event_lines.hpp"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace stest {

std::vector<Event> EventLines::feed(std::string_view bytes) {
  buffer_.append(bytes);
  std::vector<Event> events;
  std::size_t begin = 0;
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    take_line(std::string_view(buffer_).substr(begin, end - begin), events);
    begin = end + 1;
  }
  buffer_.erase(0, begin);
  if (buffer_.size() > max_line) buffer_.clear();
  return events;
}

void EventLines::take_line(std::string_view line, std::vector<Event>& events) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  try {
    if (take_news(json)) return;
  } catch (const nlohmann::json::exception& error) {
    spdlog::warn("skipped a line on the event pipe: {}", error.what());
    return;
  }
  auto event = event_from_json(json);
  if (!event || !remember(*event)) {
    spdlog::warn("skipped a line on the event pipe: its kind is unknown");
    return;
  }
  events.push_back(std::move(*event));
}

/// Takes a line that is only for the daemon; false if it is of another kind.
bool EventLines::take_news(const nlohmann::json& json) {
  const auto& kind = json.at("event");
  if (kind == "settled") {
    settled_ = true;
  } else if (kind == "collected") {
    auto file = bytes_from_json(json.at("last_failed"));
    tally_.collected(json.at("tests").get<int>());
    last_failed_file_ = std::move(file).value_or("");
  } else if (kind == "imported") {
    observations_.modules = json.at("modules").get<std::vector<std::string>>();
    observations_.path = json.at("path").get<std::vector<std::string>>();
  } else if (kind == "loaded") {
    observations_.values.push_back({json.at("name").get<std::string>(), json.at("key").get<std::string>(),
                                    json.at("request").get<std::string>(),
                                    json.at("reason").get<std::string>()});
  } else if (kind == "differs") {
    Observations::Difference difference{json.at("module").get<std::string>(),
                                        {},
                                        json.at("outdated").get<bool>(),
                                        json.at("repeatable").get<bool>()};
    for (const auto& [name, value] : json.at("variables").items()) {
      auto text = value.is_null() ? Result<std::string>("") : bytes_from_json(value);
      if (text) difference.variables.emplace(name, value.is_null() ? std::nullopt : std::optional(*text));
    }
    observations_.differences.push_back(std::move(difference));
  } else {
    return false;
  }
  return true;
}

/// Returns whether a runner may send this event.
bool EventLines::remember(const Event& event) {
  if (std::holds_alternative<event::Notice>(event)) return true;
  const auto* test = std::get_if<event::Test>(&event);
  if (test == nullptr) return false;
  tally_.take(*test);
  running_.take(*test);
  return true;
}

}  // namespace stest
