#include "daemon/worker/warm_values.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "stest/messages.hpp"

namespace stest {

namespace {

constexpr auto why_lost = "the process that should load it has ended (see `stest logs`)";

}  // namespace

void WarmValues::learn(const std::vector<Observations::Value>& loaded, const Environment& env,
                       std::uint64_t seen) {
  if (loaded.empty()) return;
  env_ = env;
  for (const auto& value : loaded) learn(value, seen);
  while (values_.size() > limit) values_.erase(values_.begin());
}

void WarmValues::learn(const Observations::Value& loaded, std::uint64_t seen) {
  const auto is_same = [&](const Value& value) { return value.observed.name == loaded.name; };
  const auto known = std::find_if(values_.begin(), values_.end(), is_same);
  Value value{loaded, State::wanted, {}};
  if (known != values_.end()) {
    // If the value was held when the run began, and the run did not use it, something else must have changed.
    const bool was_held = known->state == State::held && known->report <= seen;
    if (known->observed.key == loaded.key && !was_held) value = std::move(*known);
    values_.erase(known);
  }
  if (!value.observed.reason.empty()) value.state = State::not_held;
  is_due_ = is_due_ || value.state == State::wanted;
  values_.push_back(std::move(value));
}

std::optional<protocol::HoldValues> WarmValues::next() {
  if (!std::exchange(is_due_, false)) return std::nullopt;
  protocol::HoldValues message{{}, env_};
  for (auto& [observed, state, held, report] : values_) {
    if (state == State::not_held) continue;
    state = State::loading;
    message.values.push_back({observed.key, observed.request});
  }
  return message;
}

void WarmValues::report(const protocol::Values& held) {
  ++reports_;
  for (auto& value : values_) {
    if (value.state != State::loading) continue;
    const auto found = std::find_if(held.values.begin(), held.values.end(),
                                    [&](const auto& one) { return one.key == value.observed.key; });
    value.held = found == held.values.end() ? protocol::Values::Value{value.observed.key, why_lost} : *found;
    value.state = value.held.reason.empty() ? State::held : State::not_held;
    value.report = reports_;
  }
}

void WarmValues::lost() {
  for (auto& value : values_) {
    if (!value.observed.reason.empty()) continue;
    value.state = State::wanted;
    is_due_ = true;
  }
}

nlohmann::json WarmValues::describe() const {
  static constexpr std::array<std::string_view, 4> states{"wanted", "loading", "held", "not_held"};
  auto list = nlohmann::json::array();
  for (const auto& [observed, state, held, report] : values_) {
    const auto& reason = observed.reason.empty() ? held.reason : observed.reason;
    list.push_back({{"name", bytes_to_json(observed.name)},
                    {"state", states[static_cast<std::size_t>(state)]},
                    {"seconds", held.seconds},
                    {"bytes", held.bytes},
                    {"reason", bytes_to_json(state == State::not_held ? reason : "")}});
  }
  return list;
}

}  // namespace stest
