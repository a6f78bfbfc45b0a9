#include "cli/history/past_runs.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/status_text.hpp"
#include "common/history/history.hpp"
#include "common/history/run_record.hpp"

namespace stest {
namespace {

using nlohmann::json;

constexpr int listed_runs = 20;

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string text_of(const json& value) { return bytes_from_json(value).value_or(""); }

std::string seconds_text_of(double seconds) {
  std::ostringstream text;
  text.precision(2);
  text << std::fixed << seconds << " s";
  return text.str();
}

std::string ago(std::int64_t at, double now) {
  return span(std::max(0.0, now - static_cast<double>(at))) + " ago";
}

bool has_failed(const json& test) { return is_failure(test.at("outcome")); }

std::string run_name(const json& report) {
  return "run " + std::to_string(report.at("id").get<std::int64_t>());
}

/// "run 12, 3 min ago: stest -x tests"
std::string heading(const json& report, double now) {
  return run_name(report) + ", " + ago(report.at("started_at"), now) + ": " + command_of(report);
}

std::string result_line(const json& report) {
  if (report.at("outcome") == "cold") return "cold, so its report is not on record";
  auto text = "exit " + std::to_string(report.at("exit_code").get<int>()) + ": " + counts_text(report) +
              " in " + seconds_text_of(report.at("duration_s"));
  const auto message = text_of(report.at("message"));
  return message.empty() ? text : text + "; " + message;
}

std::string place_of(const json& details) {
  const auto file = text_of(details.at("file"));
  return file.empty() ? "" : file + ":" + std::to_string(details.at("line").get<int>()) + ": ";
}

std::string first_line_of(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string failure_line(const json& test) {
  auto line = test.at("outcome").get<std::string>() + " " + text_of(test.at("nodeid"));
  for (const auto& details : test.at("details")) {
    line += "\n  " + place_of(details) + first_line_of(text_of(details.at("message")));
  }
  return line + "\n";
}

std::string failure_in_full(const json& test) {
  auto text = failure_line(test);
  for (const auto& details : test.at("details")) {
    for (const auto* part : {"longrepr", "output"}) {
      const auto shown = text_of(details.at(part));
      if (!shown.empty()) text += shown + (shown.back() == '\n' ? "" : "\n");
    }
  }
  return text;
}

void keep_failed(json& report) {
  json failed = json::array();
  for (auto& test : report["tests"]) {
    if (has_failed(test)) failed.push_back(std::move(test));
  }
  report["tests"] = std::move(failed);
}

tl::unexpected<Error> nothing_on_record(const std::string& which) {
  return fail(ErrorCode::not_running, which + " is on record",
              "Runs of the daemon are kept, the last 200 of them; `stest history` lists them.");
}

Result<History> history_of(const Project& project) {
  std::error_code ignored;
  const auto& folder = project.paths.directory;
  if (!std::filesystem::exists(folder, ignored)) return nothing_on_record("no run");
  await_reports(folder);
  return History::open(folder);
}

Error was_cold(const json& report, double now) {
  return {ErrorCode::not_running,
          "the last run (" + heading(report, now) + ") was cold, so its report is not on record",
          "`stest last " + std::to_string(report.at("id").get<std::int64_t>() - 1) +
              "` may show the one before; `stest --lf` runs what failed."};
}

std::string runs_text(const std::vector<json>& runs, double now) {
  std::string text;
  for (const auto& run : runs) text += heading(run, now) + "\n  " + result_line(run) + "\n";
  return text;
}

/// What is worth knowing of one test, from its runs, newest first.
std::string summary_of(const std::vector<History::TestRun>& runs, double now) {
  std::map<std::string, int> counts;
  int changes = 0;
  const History::TestRun* first_failed = nullptr;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    ++counts[runs[i].outcome];
    if (is_failure(runs[i].outcome)) first_failed = &runs[i];
    if (i > 0 && is_failure(runs[i].outcome) != is_failure(runs[i - 1].outcome)) ++changes;
  }
  std::string text;
  for (const auto& [outcome, count] : counts)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + outcome;
  if (first_failed)
    text += "; first failed in run " + std::to_string(first_failed->run) + ", " +
            ago(first_failed->started_at, now);
  if (changes > 1) text += "; flaky: it changed " + std::to_string(changes) + " times";
  return text;
}

std::string tests_text(const std::vector<History::TestRun>& all, double now) {
  std::string text;
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end =
        std::find_if(begin, all.end(), [&](const auto& one) { return one.nodeid != begin->nodeid; });
    text += begin->nodeid + ": " + summary_of({begin, end}, now) + "\n";
    const auto listed = std::min<std::ptrdiff_t>(end - begin, listed_runs);
    for (const auto& run : std::vector(begin, begin + listed)) {
      text += "  run " + std::to_string(run.run) + ", " + ago(run.started_at, now) + ": " + run.outcome +
              " in " + seconds_text_of(run.duration_s) + "\n";
    }
    begin = end;
  }
  return text;
}

/// pytest's node ids count from its root, and its arguments from the current folder.
std::string as_argument(const std::string& nodeid, const Project& project) {
  const auto file = nodeid.substr(0, nodeid.find("::"));
  std::error_code ignored;
  const auto path = project.paths.root / file;
  if (!std::filesystem::exists(path, ignored)) return nodeid;
  return path.lexically_relative(project.cwd).string() + nodeid.substr(file.size());
}

}  // namespace

std::string report_text(const json& report, double now, bool in_full, const std::string& only) {
  auto text = heading(report, now) + "\n" + result_line(report) + "\n";
  for (const auto& test : report.at("tests")) {
    if (!has_failed(test) || text_of(test.at("nodeid")).find(only) == std::string::npos) continue;
    text += in_full ? failure_in_full(test) : failure_line(test);
  }
  for (const auto& notice : report.at("notices")) text += "stest: " + text_of(notice) + "\n";
  return text;
}

Result<json> report_on_record(const Project& project, std::optional<std::int64_t> id) {
  const auto history = history_of(project);
  if (!history) return tl::unexpected(history.error());
  auto report = history->run(id);
  if (!report) return tl::unexpected(report.error());
  if (!*report) return nothing_on_record(id ? "no run " + std::to_string(*id) : "no run");
  if ((*report)->at("outcome") == "cold") return tl::unexpected(was_cold(**report, now_s()));
  return **std::move(report);
}

Result<ExitCode> show_last(const Options& options, const Project& project, Console& console) {
  auto report = report_on_record(project, options.past_run);
  if (!report) return tl::unexpected(report.error());
  if (options.failed) keep_failed(*report);
  console.write(Stream::out, options.json ? report->dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                                          : plain_text(report_text(*report, now_s(), options.failed)));
  return ExitCode::ok;
}

Result<ExitCode> show_history(const Options& options, const Project& project, Console& console) {
  const auto history = history_of(project);
  if (!history) return tl::unexpected(history.error());
  if (options.text.empty()) {
    const auto runs = history->runs(listed_runs);
    if (!runs) return tl::unexpected(runs.error());
    if (runs->empty()) return nothing_on_record("no run");
    console.write(Stream::out, plain_text(runs_text(*runs, now_s())));
    return ExitCode::ok;
  }
  const auto tests = history->tests(options.text);
  if (!tests) return tl::unexpected(tests.error());
  if (tests->empty()) return nothing_on_record("no test whose id contains '" + options.text + "'");
  console.write(Stream::out, plain_text(tests_text(*tests, now_s())));
  return ExitCode::ok;
}

Status settle_failed(RunOptions& options) {
  const auto project = current_project();
  if (!project) return tl::unexpected(project.error());
  const auto report = report_on_record(*project);
  if (!report) return tl::unexpected(report.error());
  const auto before = options.pytest_args.size();
  for (const auto& test : report->at("tests")) {
    if (has_failed(test)) options.pytest_args.push_back(as_argument(text_of(test.at("nodeid")), *project));
  }
  if (options.pytest_args.size() > before) return {};
  return fail(ErrorCode::not_running, "nothing failed in " + heading(*report, now_s()));
}

}  // namespace stest
