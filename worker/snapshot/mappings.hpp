#pragma once

#include <cstdint>
#include <vector>

namespace stest {

/// Writable memory that this process shares with no other.
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool is_of_file = false;  ///< As a library's variables are.
};

/// All mappings in the order of their addresses, except those that are too large to be really used, such as
/// the terabytes of a sanitizer's shadow. Empty if the kernel does not show them.
std::vector<Mapping> private_mappings();

}  // namespace stest
