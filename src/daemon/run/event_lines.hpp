#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/json/json_fields.hpp"
#include "daemon/run/run_tally.hpp"
#include "daemon/run/running_tests.hpp"
#include "stest/messages.hpp"

namespace stest {

/// What a run reports for later runs.
struct Observations {
  std::vector<std::string> modules;  ///< Modules that it imported itself and a worker may preload, in order.
  std::vector<std::string> path;     ///< `sys.path` at its end.
  /// A call of a function under `sprintest.warm` for which no value was held. `request` says how to make the
  /// value; `reason` says why it cannot be held, or is empty.
  struct Value {
    std::string name;
    std::string key;
    std::string request;
    std::string reason;
  };
  std::vector<Value> values;
  /// Why it could not use a module that was loaded ahead. `variables` are those that differ, with their
  /// values in the run (nothing: unset).
  struct Difference {
    std::string module;
    OptionalEnvironment variables;
    bool is_outdated = false;    ///< No run can use the loaded module, because a file has changed.
    bool is_repeatable = false;  ///< The run could execute the module itself.
  };
  std::vector<Difference> differences;
};

/// Parses what the runner's pytest plugin writes on the event pipe: JSON Lines, in pieces of any size. Other
/// lines are logged and skipped, because tests may write there.
class EventLines {
 public:
  /// The reports and notices that `bytes` completes.
  std::vector<Event> feed(std::string_view bytes);

  const RunningTests& running() const { return running_; }

  /// Whether the run has reported that it cannot start over any more.
  bool settled() const { return settled_; }

  const Observations& observations() const { return observations_; }

  const RunTally& tally() const { return tally_; }

  /// The file in which pytest would remember what has failed; empty if it would not.
  const std::string& last_failed_file() const { return last_failed_file_; }

  /// A longer line is dropped.
  static constexpr std::size_t max_line = 64u << 20;

 private:
  void take_line(std::string_view line, std::vector<Event>& events);
  bool take_news(const nlohmann::json& json);
  bool remember(const Event& event);

  std::string buffer_;
  RunningTests running_;
  bool settled_ = false;
  Observations observations_;
  RunTally tally_;
  std::string last_failed_file_;
};

}  // namespace stest
