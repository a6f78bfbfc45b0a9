#include "cli/verify/advice.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/verify/run_with_report.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

std::string text_of(const nlohmann::json& object, const char* name) {
  return bytes_from_json(object.value(name, nlohmann::json())).value_or("");
}

Advice about_preparation(double seconds, const nlohmann::json& line, bool primes) {
  if (!primes) return {seconds, "no run is prepared: `prime` is false", "Set `prime = true`."};
  const auto reason = line.is_object() ? text_of(line, "reason") : "it was not done in time";
  if (!reason.empty()) {
    return {seconds, "tests are not collected ahead of a run: " + reason,
            "Do this later, in a fixture or a test, or do without the plugin that does it."};
  }
  return {seconds, "what was collected ahead was not used, because something that it looks at has changed",
          "Let neither tests nor other programs write the files that test modules and plugins look at."};
}

Advice about_worker(double seconds, const std::vector<std::string>& notices) {
  // A run that was not warm has a notice; without one this is the proof that the worker is fresh.
  if (notices.empty()) return {};
  return {seconds, "the run waited for a worker: " + notices.front(),
          "Let what this names be the same in each run."};
}

/// The reason for each module that the worker does not import.
std::map<std::string, std::string> not_preloaded(const nlohmann::json& worker) {
  std::map<std::string, std::string> reasons;
  if (!worker.is_object()) return reasons;
  for (const auto& module : worker.value("not_preloaded", nlohmann::json::array())) {
    reasons[text_of(module, "module")] = text_of(module, "reason");
  }
  return reasons;
}

}  // namespace

bool is_worth(double seconds, double run_seconds) { return seconds >= std::max(0.02, 0.05 * run_seconds); }

double seconds_in(const Timings& timings, std::string_view name) {
  double seconds = 0;
  for (const auto& stage : timings.stages) {
    if (stage.name == name) seconds += static_cast<double>(stage.ns) / 1e9;
  }
  return seconds;
}

double seconds_before_tests(const Timings& timings) {
  return seconds_in(timings, "configuration") + seconds_in(timings, "collection");
}

std::vector<Advice> advice_for(const MeasuredRun& run, const nlohmann::json& worker,
                               const nlohmann::json& line, const Config& config) {
  std::vector<Advice> all{about_worker(seconds_in(run.timings, "worker"), run.notices)};
  if (config.isolation == "fork") {
    all.push_back(about_preparation(seconds_before_tests(run.timings), line, config.prime));
  }
  for (const auto& [module, reason] : not_preloaded(worker)) {
    const auto found = run.imports.find(module);
    if (found == run.imports.end()) continue;
    all.push_back({found->second, "each run imports " + module + ", which cannot be loaded ahead: " + reason,
                   "Import it only in the tests that need it."});
  }
  std::erase_if(all, [&](const Advice& one) { return !is_worth(one.seconds, run.seconds); });
  std::stable_sort(all.begin(), all.end(),
                   [](const Advice& a, const Advice& b) { return a.seconds > b.seconds; });
  return all;
}

std::string advice_text(const std::vector<Advice>& advice) {
  std::string text;
  for (const auto& one : advice) {
    text += "  " + seconds_text(one.seconds) + "  " + one.what + "\n          " + one.remedy + "\n";
  }
  return text;
}

}  // namespace stest
