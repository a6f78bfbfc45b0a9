#include "worker/snapshot/mappings.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

namespace stest {

namespace {

constexpr std::uintptr_t most_mapped = std::uintptr_t{64} << 30;

std::optional<Mapping> parse_private(const std::string& line) {
  Mapping mapping;
  std::array<char, 5> access{};
  unsigned long inode = 0;
  if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %lu", &mapping.begin, &mapping.end, access.data(),
                  &inode) != 4)
    return std::nullopt;
  if (access[0] != 'r' || access[1] != 'w' || access[3] != 'p') return std::nullopt;
  mapping.is_of_file = inode != 0;
  return mapping;
}

}  // namespace

std::vector<Mapping> private_mappings() {
  std::vector<Mapping> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto mapping = parse_private(line);
    if (mapping && mapping->end - mapping->begin <= most_mapped) found.push_back(*mapping);
  }
  return found;
}

}  // namespace stest
