#pragma once

#include <pybind11/pytypes.h>

#include <cstddef>
#include <vector>

#include "stest/file_state.hpp"

namespace stest {

/// What `file_state` of sprintest/modules/_fingerprint.py gives: `None` where there is no such file.
FileState file_state_of(const pybind11::handle& state);

/// The places in `paths` of the files that are not, or not surely, in the state at the same place of
/// `states`, which are such; for thousands at once.
std::vector<std::size_t> in_other_state(const pybind11::list& paths, const pybind11::list& states);

}  // namespace stest
