#include "worker/snapshot/written_pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "common/os/fd.hpp"
#include "worker/snapshot/mappings.hpp"

namespace stest {

namespace {

#ifndef MADV_POPULATE_WRITE  // Since Linux 5.14; the C library's headers may be older.
constexpr int MADV_POPULATE_WRITE = 23;
#endif

/// The memory that a waiting process may use for its copies.
constexpr std::size_t most_bytes = 64u << 20;
constexpr std::size_t most_ranges = 16384;
/// A set is good enough if the run has needed less than the set's size divided by this in addition.
constexpr std::size_t good_share = 4;

/// Bits of an entry of pagemap (Documentation/admin-guide/mm/pagemap.rst): in memory, and mapped only once.
constexpr std::uint64_t own = std::uint64_t{1} << 63 | std::uint64_t{1} << 56;

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// The number of pages that the kernel had to provide when this process used them.
std::size_t faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_minflt);
}

}  // namespace

/// Needs no lock: whatever it holds does no harm.
struct WrittenPages::Table {
  struct Range {
    std::uintptr_t begin;
    std::uintptr_t end;
  };

  std::atomic<std::size_t> count{0};
  std::size_t bytes = 0;        ///< In all ranges.
  std::size_t first_bytes = 0;  ///< Their size when it was recorded in a process without copies made ahead.
  Range ranges[most_ranges];

  void add(std::uintptr_t page, std::size_t size) {
    const std::size_t last = count;
    if (last > 0 && ranges[last - 1].end == page) {
      ranges[last - 1].end += size;
    } else {
      ranges[last] = {page, page + size};
      count = last + 1;
    }
    bytes += size;
  }
  bool is_full() const { return bytes >= most_bytes || count == most_ranges; }
};

std::shared_ptr<WrittenPages> WrittenPages::create() {
  void* memory = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return std::shared_ptr<WrittenPages>(new WrittenPages(*new (memory) Table));
}

WrittenPages::~WrittenPages() { ::munmap(&table_, sizeof(Table)); }

void WrittenPages::record() {
  const auto size = page_size();
  if ((faults() - faults_before_) * size * good_share < table_.bytes) return;
  const Fd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap) return;
  std::array<std::uint64_t, 8192> entries{};
  table_.count = table_.bytes = 0;
  for (const Mapping& mapping : private_mappings()) {
    for (auto at = mapping.begin; at < mapping.end && !table_.is_full();) {
      const auto wanted = std::min((mapping.end - at) / size, entries.size()) * sizeof entries[0];
      const auto got =
          ::pread(pagemap.get(), entries.data(), wanted, static_cast<off_t>(at / size * sizeof entries[0]));
      if (got <= 0) break;
      for (std::size_t i = 0; i < static_cast<std::size_t>(got) / sizeof entries[0]; ++i, at += size) {
        if ((entries[i] & own) == own && !table_.is_full()) table_.add(at, size);
      }
    }
  }
  // A copy made ahead counts as written even if it was not. So the set would grow to more than a run needs.
  if (table_.first_bytes == 0) {
    table_.first_bytes = table_.bytes;
  } else if (table_.is_full() && table_.bytes > 2 * table_.first_bytes) {
    table_.count = table_.bytes = table_.first_bytes = 0;
  }
}

void WrittenPages::copy_ahead() {
  const auto* range = table_.ranges;
  const auto* const last = range + table_.count;
  for (const Mapping& mapping : private_mappings()) {
    for (; range != last && range->begin < mapping.end; ++range) {
      const auto begin = std::max(range->begin, mapping.begin);
      const auto end = std::min(range->end, mapping.end);
      // NOLINTNEXTLINE(performance-no-int-to-ptr)
      if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
      if (range->end > mapping.end) break;  // The next mapping begins where this one ends.
    }
  }
  faults_before_ = faults();
}

}  // namespace stest
