#pragma once

#include <cstdint>

/// Whose instructions an address is among.
namespace stest::watch {

struct Code {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool contains(const void* address) const noexcept;
};

/// The code of the library in which this lies; none where that is not known.
Code code_around(const void* address);

/// The code of this function alone.
Code code_of(const void* function);

/// Whether this process is watched by a sanitizer, which makes system calls of its own.
bool has_sanitizer() noexcept;

/// Whether this is in the library that the process has its memory from. What an allocator asks is for its own
/// sake (jemalloc looks when pages were last used), and no answer may run Python: a list may be
/// half enlarged, and locks of the allocator be held.
bool is_of_allocator(const void* address) noexcept;

}  // namespace stest::watch
