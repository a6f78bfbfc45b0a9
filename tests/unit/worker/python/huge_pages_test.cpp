#include "worker/python/huge_pages.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

namespace stest {
namespace {

constexpr std::size_t huge_page = 2u << 20;
constexpr std::size_t small_page = 4u << 10;

/// Fresh memory that has room for one huge page.
class Memory {
 public:
  Memory() : begin_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::munmap(begin_, size); }

  char* aligned() const {
    const auto address = reinterpret_cast<std::uintptr_t>(begin_);
    return static_cast<char*>(begin_) + (huge_page - address % huge_page) % huge_page;
  }

  /// In KiB, of the mapping that it is in.
  static std::size_t huge_kib(const char* address) {
    std::ifstream smaps("/proc/self/smaps");
    bool is_here = false;
    for (std::string line; std::getline(smaps, line);) {
      unsigned long begin = 0;
      unsigned long end = 0;
      if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        is_here = begin <= at && at < end;
      }
      if (is_here && line.starts_with("AnonHugePages:")) return std::stoul(line.substr(14));
    }
    return 0;
  }

  static std::size_t resident_pages(char* page) {
    std::array<unsigned char, huge_page / small_page> resident{};
    EXPECT_EQ(::mincore(page, huge_page, resident.data()), 0);
    std::size_t count = 0;
    for (const auto byte : resident) count += byte & 1u;
    return count;
  }

 private:
  static constexpr std::size_t size = 2 * huge_page;
  void* begin_;
};

TEST(HugePages, KeepTheContent) {
  const Memory memory;
  char* page = memory.aligned();
  for (std::size_t i = 0; i < huge_page; ++i) page[i] = static_cast<char>(i % 251);
  use_huge_pages();
  for (std::size_t i = 0; i < huge_page; ++i) ASSERT_EQ(page[i], static_cast<char>(i % 251)) << i;
}

TEST(HugePages, TakeThePlaceOfFullMemory) {
  const Memory memory;
  char* page = memory.aligned();
  std::memset(page, 1, huge_page);
  if (::madvise(page, huge_page, 25) != 0) GTEST_SKIP() << "this kernel makes none when asked";
  ASSERT_EQ(::madvise(page, huge_page, MADV_DONTNEED), 0);
  std::memset(page, 1, huge_page);
  use_huge_pages();
  EXPECT_GE(Memory::huge_kib(page), huge_page / 1024);
}

TEST(HugePages, AreNotMadeOfMemoryThatIsOnlyReserved) {
  const Memory memory;
  char* page = memory.aligned();
  page[small_page] = 1;
  if (Memory::resident_pages(page) != 1) GTEST_SKIP() << "this kernel makes huge pages unasked";
  use_huge_pages();
  EXPECT_EQ(Memory::resident_pages(page), 1u);
}

}  // namespace
}  // namespace stest
