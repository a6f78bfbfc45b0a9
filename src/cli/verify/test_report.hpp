#pragma once

#include <compare>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/os/process.hpp"
#include "stest/messages.hpp"

namespace stest {

/// What pytest found in one run. Addresses in node ids are made equal, because they differ from
/// process to process.
struct TestReport {
  struct Warning {
    std::string nodeid;  ///< Empty outside tests.
    std::string category;
    std::string text;
    auto operator<=>(const Warning&) const = default;
  };
  /// What was reported of one node: "setup passed", "call xfailed", …, in order.
  using Reports = std::vector<std::string>;

  std::map<std::string, Reports> tests;
  std::map<std::string, std::string> collection;  ///< What was not simply collected: "failed", "skipped".
  std::set<std::string> deselected;
  std::map<Warning, int> warnings;
  bool session_began = false;
  bool session_finished = false;
  bool is_whole = true;  ///< False: of selected tests only.
  std::string ending;    ///< "exit code 1", or "died before pytest finished".
};

/// What `sprintest.run._test_report` wrote; nothing where pytest did not get as far as loading it.
/// Errors: `internal`.
Result<std::optional<TestReport>> read_report(const std::filesystem::path& file);

/// From a run's events, which tell of no more than the tests, and of an expected failure as "skipped".
TestReport report_of(const std::vector<event::Test>& events);

/// How the run in a daemon, or the process of a cold run, ended. A process that exits in the middle of
/// a session has died, whatever its exit code.
std::string ending_of(const event::Done& done);
std::string ending_of(const ExitStatus& status, const TestReport& report);

bool has_died(const TestReport& report);

/// Whether a test failed, or did not get to its end.
bool has_failed(const TestReport::Reports& reports);

/// Every difference, one line each: "test_x.py::test_y: warm failed, cold passed".
std::vector<std::string> differences(const TestReport& warm, const TestReport& cold);
/// The same, limited to what a `TestReport` made of events can tell.
std::vector<std::string> differences_in_tests(const TestReport& warm, const TestReport& cold);

/// "12 passed, 1 failed"
std::string summary(const TestReport& report);

}  // namespace stest
