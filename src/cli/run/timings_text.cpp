#include "cli/run/timings_text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace stest {
namespace {

constexpr std::uint64_t ns_per_unit = 10'000;  // Two decimals of a millisecond.

std::string line(const std::string& name, std::uint64_t units) {
  std::array<char, 64> time{};
  std::snprintf(time.data(), time.size(), "%10.2f\n", static_cast<double>(units) / 100);
  std::string text = "  " + name;
  text.resize(std::max<std::size_t>(text.size(), 15), ' ');
  return text + time.data();
}

}  // namespace

std::string timings_text(const Timings& timings) {
  std::string text;
  std::uint64_t ns = 0;
  std::uint64_t shown = 0;
  for (const auto& stage : timings.stages) {
    ns += stage.ns;
    text += line(stage.name, ns / ns_per_unit - shown);
    shown = ns / ns_per_unit;
  }
  return text + line("total", shown);
}

}  // namespace stest
