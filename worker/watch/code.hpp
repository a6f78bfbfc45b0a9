#pragma once

#include <cstdint>

/// Tells in whose code an address is.
namespace stest::watch {

struct Code {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool contains(const void* address) const noexcept;
};

/// The code of the library that contains `address`; empty if that is not known.
Code code_around(const void* address);

/// The code of `function` alone.
Code code_of(const void* function);

/// Whether this process runs under a sanitizer, which makes system calls itself.
bool has_sanitizer() noexcept;

/// Whether `address` is in the library of the memory allocator. An allocator keeps its answers to itself
/// (jemalloc looks when pages were last used). No Python may run because of its questions: a list may be half
/// enlarged, and locks of the allocator may be held.
bool is_of_allocator(const void* address) noexcept;

}  // namespace stest::watch
