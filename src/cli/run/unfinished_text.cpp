#include "cli/run/unfinished_text.hpp"

#include <algorithm>

namespace stest {
namespace {

constexpr std::size_t most_shown = 10;

std::string count(std::size_t number) {
  return number == 0 ? "no test" : number == 1 ? "1 test" : std::to_string(number) + " tests";
}

}  // namespace

std::string unfinished_text(const event::Unfinished& unfinished) {
  const auto& failed = unfinished.failed;
  auto text = count(failed.size()) + " had failed before";
  if (unfinished.not_run) text += ", " + std::to_string(*unfinished.not_run) + " did not run";
  if (unfinished.last_failed) text += "; `stest --lf` runs what failed";
  const auto shown = std::min(failed.size(), most_shown);
  for (std::size_t i = 0; i < shown; ++i) text += "\n  " + failed[i];
  if (shown < failed.size()) text += "\n  and " + std::to_string(failed.size() - shown) + " more";
  return text;
}

}  // namespace stest
