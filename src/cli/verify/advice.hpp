#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "stest/config.hpp"
#include "stest/timings.hpp"

namespace stest {

/// Something that would make warm runs faster.
struct Advice {
  double seconds = 0;  ///< What it costs in each run, as measured.
  std::string what;
  std::string remedy;
};

/// A warm run, as far as advice depends on it.
struct MeasuredRun {
  double seconds = 0;
  Timings timings = {};                        ///< The daemon's stages.
  std::map<std::string, double> imports = {};  ///< The seconds of what it imported itself, by module.
  std::vector<std::string> notices = {};
};

/// Whether so much time is worth a line: 5 % of a run, and 20 ms.
bool is_worth(double seconds, double run_seconds);

/// The time of one stage.
double seconds_in(const Timings& timings, std::string_view stage);
/// How long the run took until its tests were collected.
double seconds_before_tests(const Timings& timings);

/// All advice that is worth a line, the most valuable first. `worker` is the description of the worker before
/// the run, and `line` that of the run done ahead; null if there was none.
std::vector<Advice> advice_for(const MeasuredRun& run, const nlohmann::json& worker,
                               const nlohmann::json& line, const Config& config);

/// Two lines per piece of advice.
std::string advice_text(const std::vector<Advice>& advice);

}  // namespace stest
