#include "cli/verify/test_report.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "common/json/json_fields.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

constexpr std::string_view died = "died before pytest finished";

/// "<f at 0x7f3a>" → "<f at 0x…>"
std::string without_addresses(std::string text) {
  for (auto at = text.find("0x"); at != text.npos; at = text.find("0x", at + 2)) {
    auto end = at + 2;
    while (end < text.size() && std::isxdigit(static_cast<unsigned char>(text[end]))) ++end;
    if (end > at + 2) text.replace(at + 2, end - at - 2, "…");
  }
  return text;
}

void add_warning(TestReport& report, FieldReader& fields, std::string nodeid) {
  TestReport::Warning warning;
  fields.read("category", warning.category);
  fields.read("text", warning.text);
  warning.nodeid = std::move(nodeid);
  ++report.warnings[warning];
}

void add_deselected(TestReport& report, FieldReader& fields) {
  std::vector<std::string> nodeids;
  fields.read("nodeids", nodeids);
  for (auto& nodeid : nodeids) report.deselected.insert(without_addresses(std::move(nodeid)));
}

void add_import(TestReport& report, FieldReader& fields) {
  std::string module;
  fields.read("module", module);
  fields.read("seconds", report.imports[module]);
}

Status add_line(TestReport& report, std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  FieldReader fields(json, "line of the report");
  std::string event, nodeid, when, outcome;
  fields.read("event", event);
  fields.read_optional("nodeid", nodeid);
  fields.read_optional("when", when);
  fields.read_optional("outcome", outcome);
  nodeid = without_addresses(std::move(nodeid));
  if (event == "selected") report.is_whole = false;
  if (event == "session") report.session_began = true;
  if (event == "finished") report.session_finished = true;
  if (event == "start") report.tests[nodeid];
  if (event == "test") report.tests[nodeid].push_back(when + " " + outcome);
  if (event == "collect") report.collection[nodeid] = outcome;
  if (event == "warning") add_warning(report, fields, nodeid);
  if (event == "deselected") add_deselected(report, fields);
  if (event == "imported") add_import(report, fields);
  return fields.status();
}

bool is_finished(const TestReport::Reports& reports) {
  return !reports.empty() && reports.back().starts_with("teardown ");
}

std::string join(const TestReport::Reports& reports) {
  std::string text;
  for (const auto& report : reports) text += (text.empty() ? "" : ", ") + report;
  return text;
}

/// The reports of one side in short form: "passed", "failed", "setup failed".
std::string in_short(const TestReport::Reports& reports) {
  TestReport::Reports telling;
  for (const auto& report : reports) {
    if (!report.ends_with(" passed"))
      telling.push_back(report.starts_with("call ") ? report.substr(5) : report);
  }
  if (!is_finished(reports)) telling.emplace_back("did not finish");
  return telling.empty() ? "passed" : join(telling);
}

/// The keys of both maps.
template <class Map>
std::set<typename Map::key_type> keys(const Map& one, const Map& other) {
  std::set<typename Map::key_type> all;
  for (const auto& [key, value] : one) all.insert(key);
  for (const auto& [key, value] : other) all.insert(key);
  return all;
}

template <class Map>
std::optional<typename Map::mapped_type> value_of(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

/// A comparison, which collects a line for each difference.
class Comparison {
 public:
  Comparison(const TestReport& warm, const TestReport& cold) : warm_(warm), cold_(cold) {}

  void compare_endings() {
    if (warm_.ending != cold_.ending) add("pytest", warm_.ending, cold_.ending);
  }

  void compare_tests() {
    for (const auto& nodeid : keys(warm_.tests, cold_.tests)) {
      const auto warm = value_of(warm_.tests, nodeid), cold = value_of(cold_.tests, nodeid);
      if (warm == cold) continue;
      const bool are_alike = warm && cold && in_short(*warm) == in_short(*cold);
      const auto text = [&](const auto& reports) {
        if (!reports) return std::string("did not run");
        return are_alike ? join(*reports) : in_short(*reports);
      };
      add(nodeid, text(warm), text(cold));
    }
  }

  void compare_collection() {
    for (const auto& nodeid : keys(warm_.collection, cold_.collection)) {
      const auto warm = value_of(warm_.collection, nodeid), cold = value_of(cold_.collection, nodeid);
      if (warm != cold) add("collection of " + nodeid, warm.value_or("passed"), cold.value_or("passed"));
    }
  }

  void compare_deselected() {
    for (const auto* side : {&warm_, &cold_}) {
      const auto& other = side == &warm_ ? cold_ : warm_;
      for (const auto& nodeid : side->deselected) {
        if (other.deselected.contains(nodeid)) continue;
        lines_.push_back(nodeid + ": deselected " + (side == &warm_ ? "warm" : "cold") + " only");
      }
    }
  }

  void compare_warnings() {
    for (const auto& warning : keys(warm_.warnings, cold_.warnings)) {
      const auto warm = value_of(warm_.warnings, warning).value_or(0),
                 cold = value_of(cold_.warnings, warning).value_or(0);
      const auto where = warning.nodeid.empty() ? "" : " of " + warning.nodeid;
      if (warm != cold) add(warning.category + where + ": " + warning.text, times(warm), times(cold));
    }
  }

  std::vector<std::string> lines() && { return std::move(lines_); }

 private:
  static std::string times(int count) { return std::to_string(count) + (count == 1 ? " time" : " times"); }

  void add(const std::string& what, const std::string& warm, const std::string& cold) {
    lines_.push_back(what + ": warm " + warm + ", cold " + cold);
  }

  const TestReport& warm_;
  const TestReport& cold_;
  std::vector<std::string> lines_;
};

/// The word in pytest's last line that counts this test.
std::string count_as(const TestReport::Reports& reports) {
  std::string word = "passed";
  for (const auto& report : reports) {
    const auto outcome = report.substr(report.rfind(' ') + 1);
    if (outcome == "failed") return report.starts_with("call ") ? "failed" : "error";
    if (outcome != "passed") word = outcome;
  }
  return is_finished(reports) ? word : "unfinished";
}

/// The reports with expected failures named as in events.
TestReport::Reports as_in_events(TestReport::Reports reports) {
  for (auto& report : reports) {
    if (report.ends_with(" xfailed")) report.replace(report.size() - 7, 7, "skipped");
    if (report.ends_with(" xpassed")) report.replace(report.size() - 7, 7, "passed");
  }
  return reports;
}

}  // namespace

Result<std::optional<TestReport>> read_report(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  TestReport report;
  std::istringstream lines(**text);
  for (std::string line; std::getline(lines, line);) {
    if (lines.eof()) break;  // The process died during this line.
    if (auto added = add_line(report, line); !added) return tl::unexpected(added.error());
  }
  return report;
}

TestReport report_of(const std::vector<event::Test>& events) {
  TestReport report;
  for (const auto& event : events) {
    if (event.when == "collect") continue;  // As in the test report of a cold run.
    auto& reports = report.tests[without_addresses(event.nodeid)];
    if (event.when != "start") reports.push_back(event.when + " " + event.outcome);
  }
  return report;
}

std::string ending_of(const event::Done& done) {
  const bool is_death = done.outcome == Outcome::crashed || done.outcome == Outcome::killed;
  return is_death ? std::string(died) : "exit code " + std::to_string(done.exit_code);
}

std::string ending_of(const ExitStatus& status, const TestReport& report) {
  const bool is_death = !status.code || (report.session_began && !report.session_finished);
  return is_death ? std::string(died) : "exit code " + std::to_string(*status.code);
}

bool has_died(const TestReport& report) { return report.ending == died; }

bool has_failed(const TestReport::Reports& reports) {
  return !is_finished(reports) ||
         std::any_of(reports.begin(), reports.end(), [](auto& one) { return one.ends_with(" failed"); });
}

std::vector<std::string> differences(const TestReport& warm, const TestReport& cold) {
  Comparison comparison(warm, cold);
  comparison.compare_endings();
  comparison.compare_collection();
  comparison.compare_tests();
  comparison.compare_deselected();
  comparison.compare_warnings();
  return std::move(comparison).lines();
}

std::vector<std::string> differences_in_tests(const TestReport& warm, const TestReport& cold) {
  TestReport alike;
  alike.ending = cold.ending;
  for (const auto& [nodeid, reports] : cold.tests) alike.tests[nodeid] = as_in_events(reports);
  Comparison comparison(warm, alike);
  comparison.compare_endings();
  comparison.compare_tests();
  return std::move(comparison).lines();
}

std::string summary(const TestReport& report) {
  std::map<std::string, int> counts;
  for (const auto& [nodeid, reports] : report.tests) ++counts[count_as(reports)];
  for (const auto& [nodeid, outcome] : report.collection) ++counts[outcome == "failed" ? "error" : outcome];
  std::string text;
  const auto add = [&](const std::string& word) {
    const int count = std::exchange(counts[word], 0);
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + word;
    if (word == "error" && count > 1) text += "s";
  };
  add("passed");
  add("failed");
  for (const auto& word : keys(counts, counts)) add(word);
  return text.empty() ? "no tests" : text;
}

}  // namespace stest
