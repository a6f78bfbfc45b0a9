#include "cli/verify/judged_run.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/json/json_fields.hpp"

namespace stest {

std::vector<std::string> with_verdict_plugin(const std::vector<std::string>& args) {
  std::vector<std::string> all{"-p", "sprintest.run._verdict"};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

Project with_verdict_file(Project project, const std::filesystem::path& file) {
  project.env["STEST_VERDICT"] = file.string();
  return project;
}

Result<JudgedColdRun> run_cold_judged(const std::vector<std::string>& args, const Project& project,
                                      const ScratchFolder& folder,
                                      const std::optional<std::vector<std::string>>& only) {
  const auto file = folder.path() / (only ? "selected.jsonl" : "cold.jsonl");
  auto judged = with_verdict_file(project, file);
  if (only) {
    const auto list = folder.path() / "only.json";
    std::ofstream(list) << list_to_json(*only);
    judged.env["STEST_VERDICT_ONLY"] = list.string();
  }
  auto result = run_cold(with_verdict_plugin(args), judged, folder.path(), [&] { folder.remove(); });
  if (!result) return tl::unexpected(result.error());
  auto verdict = read_verdict(file);
  if (!verdict) return tl::unexpected(verdict.error());
  const bool has_verdict = verdict->has_value();
  JudgedColdRun run{std::move(*result), std::move(*verdict).value_or(Verdict{}), has_verdict};
  run.verdict.ending = ending_of(run.result.status, run.verdict);
  return run;
}

tl::unexpected<Error> plugin_missing(const ColdResult& cold, Console& console) {
  show_output(cold, console);
  return fail(ErrorCode::internal, "the cold pytest did not load stest's plugin sprintest.run._verdict",
              "Its output is above; `stest run --cold` runs it again without the plugin.");
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
