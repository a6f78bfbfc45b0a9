#include "worker/python/file_states.hpp"

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "worker/python/python_values.hpp"

namespace py = pybind11;

namespace stest {

FileState file_state_of(const py::handle& state) {
  if (state.is_none()) return {};
  const auto parts = py::reinterpret_borrow<py::tuple>(state);
  const auto number = [&](std::size_t i) {  // An inode may need all 64 bits.
    return static_cast<std::int64_t>(PyLong_AsUnsignedLongLongMask(py::object(parts[i]).ptr()));
  };
  return {number(0), number(1), number(2), number(3)};
}

std::vector<std::size_t> in_other_state(const py::list& paths, const py::list& states) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto path = fs_encode(py::reinterpret_borrow<py::str>(paths[i]));
    if (file_state(path) != file_state_of(states[i])) others.push_back(i);
  }
  return others;
}

}  // namespace stest
