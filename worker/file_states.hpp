#pragma once

#include <pybind11/pytypes.h>

#include <cstddef>
#include <vector>

namespace stest {

/// The places in `paths` of the files that are not, or not surely, in the state at the same place of
/// `states`: what `file_state` of sprintest/_fingerprint.py gives, for thousands at once.
std::vector<std::size_t> in_other_state(const pybind11::list& paths, const pybind11::list& states);

}  // namespace stest
