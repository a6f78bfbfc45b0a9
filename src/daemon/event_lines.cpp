#include "daemon/event_lines.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace stest {

std::vector<event::Test> EventLines::feed(std::string_view bytes) {
  buffer_.append(bytes);
  std::vector<event::Test> tests;
  std::size_t begin = 0;
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    take_line(std::string_view(buffer_).substr(begin, end - begin), tests);
    begin = end + 1;
  }
  buffer_.erase(0, begin);
  if (buffer_.size() > max_line) buffer_.clear();
  return tests;
}

void EventLines::take_line(std::string_view line, std::vector<event::Test>& tests) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  try {
    if (json.at("event") == "imported") {
      imported_ = json.at("modules").get<std::vector<std::string>>();
      return;
    }
  } catch (const nlohmann::json::exception& error) {
    spdlog::warn("skipped a line on the event pipe: {}", error.what());
    return;
  }
  const auto event = event_from_json(json);
  const auto* test = event ? std::get_if<event::Test>(&*event) : nullptr;
  if (!test) {
    spdlog::warn("skipped a line on the event pipe: it is no report of a test");
    return;
  }
  remember(*test);
  tests.push_back(*test);
}

void EventLines::remember(const event::Test& test) {
  if (test.when == "start") nodeid_ = test.nodeid;
  if (test.when == "teardown" && test.nodeid == nodeid_) nodeid_.clear();
}

}  // namespace stest
