#include "daemon/http/collected_run.hpp"

#include <nlohmann/json.hpp>

namespace stest {

namespace {

/// The event's fields without its kind.
nlohmann::json fields_of(const Event& event) {
  auto json = to_json(event);
  json.erase("event");
  return json;
}

template <class Kind>
nlohmann::json list_of(const std::vector<Kind>& events) {
  auto list = nlohmann::json::array();
  for (const auto& event : events) list.push_back(fields_of(event));
  return list;
}

}  // namespace

bool CollectedRun::take(const Event& event) {
  std::visit([this](const auto& kind) { add(kind); }, event);
  return true;
}

void CollectedRun::add(const event::Output& output) {
  (output.stream == Stream::out ? out_ : err_).append(output.data);
}

nlohmann::json CollectedRun::to_json() const {
  auto json = fields_of(done_);
  json["id"] = id_;
  json["stdout"] = bytes_to_json(out_.text());
  json["stderr"] = bytes_to_json(err_.text());
  json["dropped"] = {{"stdout", out_.dropped()}, {"stderr", err_.dropped()}};
  json["tests"] = list_of(tests_);
  json["notice"] = notices_;
  json["stuck"] = list_of(stuck_);
  return json;
}

}  // namespace stest
