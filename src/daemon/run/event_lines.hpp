#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/json/json_fields.hpp"
#include "daemon/run/run_tally.hpp"
#include "stest/messages.hpp"

namespace stest {

/// What a run taught about the ones to come.
struct Observations {
  std::vector<std::string> modules;   ///< Third-party modules that it imported itself, in order.
  std::vector<std::string> patterns;  ///< Regular expressions that it compiled itself, in order.
  std::vector<std::string> path;      ///< `sys.path` at its end.
  /// A value that it loaded, or could have; `request` makes it, `reason` is why it cannot be held.
  struct Value {
    std::string name;
    std::string key;
    std::string request;
    std::string reason;
  };
  std::vector<Value> values;
  /// What kept it from using a module that was loaded ahead: variables had these values by then, or none.
  struct Difference {
    std::string module;
    OptionalEnvironment variables;
    bool is_outdated = false;    ///< No run can use what this worker has loaded.
    bool is_repeatable = false;  ///< The run could execute the module itself.
  };
  std::vector<Difference> differences;
};

/// Reads what the runner's pytest plugin writes on the event pipe: JSON Lines, in pieces of any size.
/// Lines that are no event are logged and skipped: whatever tests write there must not end a run.
class EventLines {
 public:
  /// The reports and notices that `bytes` completes.
  std::vector<Event> feed(std::string_view bytes);

  /// The test that runs; empty outside tests.
  const std::string& nodeid() const { return nodeid_; }

  /// Whether the run said that it cannot start over any more: tests run.
  bool settled() const { return settled_; }

  const Observations& observations() const { return observations_; }

  const RunTally& tally() const { return tally_; }

  /// Where pytest would have remembered what has failed; empty where it would not.
  const std::string& last_failed_file() const { return last_failed_file_; }

  /// A longer line is dropped.
  static constexpr std::size_t max_line = 64u << 20;

 private:
  void take_line(std::string_view line, std::vector<Event>& events);
  bool take_news(const nlohmann::json& json);
  bool remember(const Event& event);

  std::string buffer_;
  std::string nodeid_;
  bool settled_ = false;
  Observations observations_;
  RunTally tally_;
  std::string last_failed_file_;
};

}  // namespace stest
