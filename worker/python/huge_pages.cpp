#include "worker/python/huge_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "worker/snapshot/mappings.hpp"

namespace stest {

namespace {

#ifndef MADV_COLLAPSE  // Since Linux 6.1; the C library's headers may be older.
constexpr int MADV_COLLAPSE = 25;
#endif

constexpr std::uintptr_t huge_page = 2u << 20;
constexpr std::uintptr_t small_page = 4u << 10;
constexpr std::size_t small_pages = huge_page / small_page;

/// Whether a huge page would need little more memory than is used now. A thread's stack is mostly unused.
bool is_filled(void* page) {
  std::array<unsigned char, small_pages> resident{};
  if (::mincore(page, huge_page, resident.data()) != 0) return false;
  const auto count =
      std::count_if(resident.begin(), resident.end(), [](auto byte) { return (byte & 1) != 0; });
  return static_cast<std::size_t>(count) > small_pages * 9 / 10;
}

}  // namespace

void use_huge_pages() {
  if (::sysconf(_SC_PAGESIZE) != small_page) return;
  for (const Mapping& mapping : private_mappings()) {
    if (mapping.is_of_file) continue;
    auto at = (mapping.begin + huge_page - 1) / huge_page * huge_page;
    for (; at + huge_page <= mapping.end; at += huge_page) {
      // NOLINTNEXTLINE(performance-no-int-to-ptr)
      auto* page = reinterpret_cast<void*>(at);
      if (!is_filled(page) || ::madvise(page, huge_page, MADV_COLLAPSE) == 0) continue;
      if (errno == ENOMEM) return;  // No huge page is left, and each further search takes time.
    }
  }
}

}  // namespace stest
