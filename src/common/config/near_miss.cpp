#include "common/config/near_miss.hpp"

#include <algorithm>

namespace stest {
namespace {

/// How many letters must be inserted, removed, replaced or swapped to get from one word to the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::vector<std::size_t>> steps(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i) {
    for (std::size_t j = 0; j <= to.size(); ++j) {
      if (i == 0 || j == 0) {
        steps[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
      }
    }
  }
  return steps[from.size()][to.size()];
}

std::size_t most_mistakes(std::string_view name) {
  const auto letters = name.size() - std::min(name.find_first_not_of('-'), name.size());
  return letters > 5 ? 2 : 1;
}

}  // namespace

std::string near_miss(std::string_view word, const std::vector<std::string>& names) {
  constexpr std::size_t longest = 40;  // No name is that long.
  std::string nearest;
  std::size_t mistakes = word.size() > longest ? 0 : 3;
  for (const auto& name : names) {
    const auto found = mistakes == 0 ? 0 : distance(word, name);
    if (found == 0 || found > most_mistakes(name) || found >= mistakes) continue;
    nearest = name;
    mistakes = found;
  }
  return nearest;
}

}  // namespace stest
