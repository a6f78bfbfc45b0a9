#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "stest/messages.hpp"

namespace stest {

/// The report of a run, made from its events (`docs/report.schema.json`).
class RunRecord {
 public:
  /// `started_at` in seconds since the epoch.
  RunRecord(const std::vector<std::string>& args, const std::string& cwd, std::int64_t started_at);

  void take(const Event& event);

  const nlohmann::json& report() const { return report_; }

 private:
  void take_test(const event::Test& test);
  void take_done(const event::Done& done);
  nlohmann::json& entry(const std::string& nodeid);

  nlohmann::json report_;
  std::map<std::string, std::size_t> place_;  ///< In the list of tests, by node id.
};

/// Whether an outcome of a test makes a run fail: "failed", "error", "unfinished".
bool is_failure(const std::string& outcome);

/// Of a report: "1 failed, 24 passed".
std::string counts_text(const nlohmann::json& report);

}  // namespace stest
