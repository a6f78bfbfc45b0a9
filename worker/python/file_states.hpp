#pragma once

#include <pybind11/pytypes.h>

#include <cstddef>
#include <vector>

#include "stest/file_state.hpp"

namespace stest {

/// Converts a result of `file_state` in sprintest/modules/_fingerprint.py. `None`: there is no such file.
FileState file_state_of(const pybind11::handle& state);

/// The indices of those `paths` whose state differs from the one at the same index of `states`, which holds
/// results of `file_state`. Threads share the work, because there may be thousands of files.
std::vector<std::size_t> in_other_state(const pybind11::list& paths, const pybind11::list& states);

}  // namespace stest
