#include "huge_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace stest {

namespace {

#ifndef MADV_COLLAPSE  // Of Linux 6.1; the C library's headers may be older.
constexpr int MADV_COLLAPSE = 25;
#endif

constexpr std::uintptr_t huge_page = 2u << 20;
constexpr std::uintptr_t small_page = 4u << 10;
constexpr std::size_t small_pages = huge_page / small_page;
/// More than this is a promise as well, and long to look through: the terabytes of a sanitizer's shadow.
constexpr std::uintptr_t most_mapped = std::uintptr_t{64} << 30;

/// Whether hardly more memory is needed than is used already: the stack of a thread is mostly a promise.
bool is_filled(void* page) {
  std::array<unsigned char, small_pages> resident{};
  if (::mincore(page, huge_page, resident.data()) != 0) return false;
  const auto count =
      std::count_if(resident.begin(), resident.end(), [](auto byte) { return (byte & 1) != 0; });
  return static_cast<std::size_t>(count) > small_pages * 9 / 10;
}

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool is_heap = false;  ///< Private, writable and of no file.
};

Mapping parse_mapping(const std::string& line) {
  Mapping mapping;
  std::array<char, 5> access{};
  unsigned long inode = 0;
  if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %lu", &mapping.begin, &mapping.end, access.data(),
                  &inode) != 4)
    return {};
  mapping.is_heap = access[0] == 'r' && access[1] == 'w' && access[3] == 'p' && inode == 0;
  return mapping;
}

}  // namespace

void use_huge_pages() {
  if (::sysconf(_SC_PAGESIZE) != small_page) return;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto mapping = parse_mapping(line);
    if (!mapping.is_heap || mapping.end - mapping.begin > most_mapped) continue;
    auto at = (mapping.begin + huge_page - 1) / huge_page * huge_page;
    for (; at + huge_page <= mapping.end; at += huge_page) {
      auto* page = reinterpret_cast<void*>(at);
      if (!is_filled(page) || ::madvise(page, huge_page, MADV_COLLAPSE) == 0) continue;
      if (errno == ENOMEM) return;  // There are no more of them, and looking for one takes its time.
    }
  }
}

}  // namespace stest
