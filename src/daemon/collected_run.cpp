#include "daemon/collected_run.hpp"

namespace stest {

namespace {

/// The event's fields without its kind.
nlohmann::json fields_of(const Event& event) {
  auto json = to_json(event);
  json.erase("event");
  return json;
}

}  // namespace

bool CollectedRun::take(const Event& event) {
  std::visit([this](const auto& kind) { add(kind); }, event);
  return true;
}

void CollectedRun::add(const event::Output& output) {
  (output.stream == Stream::out ? out_ : err_) += output.data;
}

void CollectedRun::add(const event::Test& test) { tests_.push_back(fields_of(test)); }

void CollectedRun::add(const event::Stuck& stuck) { stuck_.push_back(fields_of(stuck)); }

nlohmann::json CollectedRun::to_json() const {
  auto json = fields_of(done_);
  json["id"] = id_;
  json["stdout"] = bytes_to_json(out_);
  json["stderr"] = bytes_to_json(err_);
  json["tests"] = tests_;
  json["receipt"] = receipts_;
  json["stuck"] = stuck_;
  return json;
}

}  // namespace stest
