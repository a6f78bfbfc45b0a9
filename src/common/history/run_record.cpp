#include "common/history/run_record.hpp"

#include <algorithm>
#include <array>

#include "common/json/json_fields.hpp"

namespace stest {
namespace {

using nlohmann::json;

/// In the order of pytest's last line.
constexpr std::array<const char*, 7> outcomes{"failed",  "error",   "unfinished", "passed",
                                              "skipped", "xfailed", "xpassed"};

/// The arguments without a plugin of stest's own, which the client has put in front.
std::vector<std::string> users_args(std::vector<std::string> args) {
  const bool has_own = args.size() > 1 && args[0] == "-p" && args[1].starts_with("sprintest.run.");
  if (has_own) args.erase(args.begin(), args.begin() + 2);
  return args;
}

std::string outcome_of(const event::Test& test) {
  if (test.outcome == "failed") return test.when == "call" ? "failed" : "error";
  const bool is_expected = test.details && test.details->xfail;
  if (test.outcome == "skipped") return is_expected ? "xfailed" : "skipped";
  return is_expected ? "xpassed" : "passed";
}

/// A later phase replaces the outcome of an earlier one only by a worse one.
bool replaces(const std::string& outcome, const std::string& known) {
  if (known == "unfinished") return true;
  return !is_failure(known) && (known == "passed" || is_failure(outcome));
}

json details_json(const event::Test& test) {
  const auto& details = *test.details;
  return {{"when", test.when},
          {"message", bytes_to_json(details.message)},
          {"file", bytes_to_json(details.file)},
          {"line", details.line},
          {"longrepr", bytes_to_json(details.longrepr)},
          {"output", bytes_to_json(details.output)}};
}

}  // namespace

RunRecord::RunRecord(const std::vector<std::string>& args, const std::string& cwd, std::int64_t started_at)
    : report_({{"version", 1},
               {"started_at", started_at},
               {"args", list_to_json(users_args(args))},
               {"cwd", bytes_to_json(cwd)},
               {"exit_code", nullptr},
               {"outcome", nullptr},
               {"message", ""},
               {"duration_s", 0.0},
               {"notices", json::array()},
               {"tests", json::array()}}) {}

void RunRecord::take(const Event& event) {
  if (const auto* test = std::get_if<event::Test>(&event)) take_test(*test);
  if (const auto* done = std::get_if<event::Done>(&event)) take_done(*done);
  if (const auto* notice = std::get_if<event::Notice>(&event))
    report_["notices"].push_back(bytes_to_json(notice->text));
}

json& RunRecord::entry(const std::string& nodeid) {
  auto& tests = report_["tests"];
  const auto [found, is_new] = place_.emplace(nodeid, tests.size());
  if (is_new) {
    tests.push_back({{"nodeid", bytes_to_json(nodeid)},
                     {"outcome", "unfinished"},
                     {"duration_s", 0.0},
                     {"details", json::array()}});
  }
  return tests[found->second];
}

void RunRecord::take_test(const event::Test& test) {
  auto& one = entry(test.nodeid);
  if (test.details) one["details"].push_back(details_json(test));
  one["duration_s"] = one["duration_s"].get<double>() + test.duration_s;
  if (test.when == "start") return;
  const bool is_over = test.when != "setup" || test.outcome != "passed";
  const auto outcome = outcome_of(test);
  if (is_over && replaces(outcome, one["outcome"])) one["outcome"] = outcome;
}

void RunRecord::take_done(const event::Done& done) {
  report_["exit_code"] = done.exit_code;
  report_["outcome"] = name(done.outcome);
  report_["message"] = bytes_to_json(done.message);
  report_["duration_s"] = done.duration_s;
}

bool is_failure(const std::string& outcome) {
  return outcome == "failed" || outcome == "error" || outcome == "unfinished";
}

std::string counts_text(const json& report) {
  std::string text;
  for (const auto* outcome : outcomes) {
    const auto& tests = report.at("tests");
    const auto count = std::count_if(tests.begin(), tests.end(),
                                     [&](const json& test) { return test.at("outcome") == outcome; });
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + outcome;
  }
  return text.empty() ? "no tests ran" : text;
}

}  // namespace stest
