#pragma once

#include <cstdint>
#include <vector>

namespace stest {

/// Memory of this process that it can write to without anybody else seeing it.
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool is_of_file = false;  ///< A library's variables.
};

/// In order of their addresses, without those that are too large to be more than a promise: the terabytes of
/// a sanitizer's shadow. Empty where the kernel does not tell.
std::vector<Mapping> private_mappings();

}  // namespace stest
