#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/run/event_lines.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// The values that runs have loaded by functions under `sprintest.warm`, and their state in one worker. Not
/// thread-safe.
class WarmValues {
 public:
  /// Takes the values that a run had to load itself, in this environment. `seen` is the value of `reports`
  /// when the run began.
  void learn(const std::vector<Observations::Value>& loaded, const Environment& env, std::uint64_t seen);

  /// The message to send to the worker now; nothing if it holds or loads all values already.
  std::optional<protocol::HoldValues> next();
  /// The worker's answer.
  void report(const protocol::Values& held);
  /// How often it has answered.
  std::uint64_t reports() const { return reports_; }
  /// The worker does not hold any value any more.
  void lost();

  /// The "values" of `GET /v1/status`.
  nlohmann::json describe() const;

  /// The most values. If there are more, the one that was learned least recently is dropped.
  static constexpr std::size_t limit = 32;

 private:
  enum class State { wanted, loading, held, not_held };
  struct Value {
    Observations::Value observed;
    State state = State::wanted;
    protocol::Values::Value held;
    std::uint64_t report = 0;  ///< The number of the report that has its result.
  };
  void learn(const Observations::Value& loaded, std::uint64_t seen);

  std::vector<Value> values_;  ///< In the order in which they were last learned.
  Environment env_;
  bool is_due_ = false;
  std::uint64_t reports_ = 0;
};

}  // namespace stest
