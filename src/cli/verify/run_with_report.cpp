#include "cli/verify/run_with_report.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/python_facts.hpp"
#include "common/json/json_fields.hpp"
#include "common/os/python_executable.hpp"

namespace stest {

Status check_plugin(const Project& project) {
  const auto folder = executable_folder();
  const auto python = python_executable(folder, project.env);
  if (python == python_executable(folder)) return {};
  const auto facts = ask_python(python, project.env);
  if (!facts) return fail(ErrorCode::config, facts.error().message, "Choose another Python.");
  std::error_code ignored;
  const auto plugin = std::filesystem::path(facts->package) / "run" / "_test_report.py";
  if (!facts->package.empty() && std::filesystem::exists(plugin, ignored)) return {};
  return fail(ErrorCode::config,
              python.string() + " has no stest, whose pytest plugin is needed to compare runs",
              "Install stest in that environment, from where you had it.");
}

std::vector<std::string> with_report_plugin(const std::vector<std::string>& args) {
  std::vector<std::string> all{"-p", "sprintest.run._test_report"};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

Project with_report_file(Project project, const std::filesystem::path& file) {
  project.env["STEST_REPORT"] = file.string();
  return project;
}

Result<ColdRunWithReport> run_cold_with_report(const std::vector<std::string>& args, const Project& project,
                                               const ScratchFolder& folder,
                                               const std::optional<std::vector<std::string>>& only) {
  const auto file = folder.path() / (only ? "selected.jsonl" : "cold.jsonl");
  auto reporting = with_report_file(project, file);
  if (only) {
    const auto list = folder.path() / "only.json";
    std::ofstream(list) << list_to_json(*only);
    reporting.env["STEST_REPORT_ONLY"] = list.string();
  }
  auto result = run_cold(with_report_plugin(args), reporting, folder.path(), [&] { folder.remove(); });
  if (!result) return tl::unexpected(result.error());
  auto report = read_report(file);
  if (!report) return tl::unexpected(report.error());
  const bool has_report = report->has_value();
  ColdRunWithReport run{std::move(*result), std::move(*report).value_or(TestReport{}), has_report};
  run.report.ending = ending_of(run.result.status, run.report);
  return run;
}

void restore_cache(const ScratchFolder& folder) {
  const auto kept = folder.path() / "cache";
  std::error_code error;
  const auto place = std::filesystem::read_symlink(kept / "place", error);
  if (error) return;
  std::filesystem::remove_all(place, error);
  std::filesystem::copy(kept / "v", place, std::filesystem::copy_options::recursive, error);
}

tl::unexpected<Error> plugin_missing(const ColdResult& cold, Console& console) {
  show_output(cold, console);
  return fail(ErrorCode::internal, "the cold pytest did not load stest's plugin sprintest.run._test_report",
              "pytest's output is above; `stest run --cold` runs it again without the plugin.");
}

ExitCode exit_code_of_cancelled(int exit_code) {
  return exit_code == static_cast<int>(ExitCode::interrupted) ? ExitCode::interrupted : ExitCode::cancelled;
}

std::string seconds_text(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f s", seconds);
  return text.data();
}

}  // namespace stest
