#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/run/event_lines.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// The values that runs have loaded by functions under `sprintest.warm`, and what has become of them in one
/// worker. Not thread-safe.
class WarmValues {
 public:
  /// Takes in what a run had to load itself, in this environment. `seen`: what `reports` was when it began.
  void learn(const std::vector<Observations::Value>& loaded, const Environment& env, std::uint64_t seen);

  /// What to send to the worker now; nothing where it holds, or loads, what it should.
  std::optional<protocol::HoldValues> next();
  /// The worker's answer.
  void report(const protocol::Values& held);
  /// How often it has answered.
  std::uint64_t reports() const { return reports_; }
  /// The worker has let go of all of them.
  void lost();

  /// The "values" of `GET /v1/status`.
  nlohmann::json describe() const;

  /// More are not held; the one goes whose function was called least lately.
  static constexpr std::size_t limit = 32;

 private:
  enum class State { wanted, loading, held, not_held };
  struct Value {
    Observations::Value observed;
    State state = State::wanted;
    protocol::Values::Value held;
    std::uint64_t report = 0;  ///< The one that has told of it.
  };
  void learn(const Observations::Value& loaded, std::uint64_t seen);

  std::vector<Value> values_;  ///< The last one that was learned is the last.
  Environment env_;
  bool is_due_ = false;
  std::uint64_t reports_ = 0;
};

}  // namespace stest
