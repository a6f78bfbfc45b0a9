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

/// What pytest found in one run. Addresses in node ids are replaced, because they differ in each process.
struct TestReport {
  struct Warning {
    std::string nodeid;  ///< Empty outside tests.
    std::string category;
    std::string text;
    auto operator<=>(const Warning&) const = default;
  };
  /// The reports of one test, in order: "setup passed", "call xfailed", …
  using Reports = std::vector<std::string>;

  std::map<std::string, Reports> tests;
  std::map<std::string, std::string> collection;  ///< By node, if collection "failed" or was "skipped".
  std::set<std::string> deselected;
  std::map<Warning, int> warnings;
  std::map<std::string, double> imports;  ///< By module: the seconds that a warm run spent on its import.
  bool session_began = false;
  bool session_finished = false;
  bool is_whole = true;  ///< False: only selected tests ran.
  std::string ending;    ///< "exit code 1", or "died before pytest finished".
};

/// Reads what `sprintest.run._test_report` wrote; nothing if pytest did not load it.
/// Errors: `internal`.
Result<std::optional<TestReport>> read_report(const std::filesystem::path& file);

/// A report made of a run's events. They have only the tests, and an expected failure is "skipped".
TestReport report_of(const std::vector<event::Test>& events);

/// How a warm run, or the process of a cold run, ended. A process that exits during pytest's session has
/// died, whatever its exit code.
std::string ending_of(const event::Done& done);
std::string ending_of(const ExitStatus& status, const TestReport& report);

bool has_died(const TestReport& report);

/// Whether a test failed or did not finish.
bool has_failed(const TestReport::Reports& reports);

/// Every difference, one line each: "test_x.py::test_y: warm failed, cold passed".
std::vector<std::string> differences(const TestReport& warm, const TestReport& cold);
/// The same, limited to what a report made of events contains.
std::vector<std::string> differences_in_tests(const TestReport& warm, const TestReport& cold);

/// "12 passed, 1 failed"
std::string summary(const TestReport& report);

}  // namespace stest
