#include "worker/python/file_states.hpp"

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "common/in_parts.hpp"
#include "worker/python/python_values.hpp"

namespace py = pybind11;

namespace stest {

namespace {

struct Known {
  std::string path;
  FileState state;
};

bool is_current(const Known& file) { return file_state(file.path) == file.state; }

}  // namespace

FileState file_state_of(const py::handle& state) {
  if (state.is_none()) return {};
  const auto parts = py::reinterpret_borrow<py::tuple>(state);
  const auto number = [&](std::size_t i) {  // An inode may need all 64 bits.
    return static_cast<std::int64_t>(PyLong_AsUnsignedLongLongMask(py::object(parts[i]).ptr()));
  };
  return {number(0), number(1), number(2), number(3)};
}

std::vector<std::size_t> in_other_state(const py::list& paths, const py::list& states) {
  std::vector<Known> files;
  files.reserve(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    files.push_back({fs_encode(py::reinterpret_borrow<py::str>(paths[i])), file_state_of(states[i])});
  }
  const auto found = in_parts(files.size(), [&](std::size_t begin, std::size_t end) {
    std::vector<std::size_t> others;
    for (std::size_t i = begin; i < end; ++i) {
      if (!is_current(files[i])) others.push_back(i);
    }
    return others;
  });
  std::vector<std::size_t> others;
  for (const auto& part : found) others.insert(others.end(), part.begin(), part.end());
  return others;
}

}  // namespace stest
