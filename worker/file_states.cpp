#include "file_states.hpp"

#include <pybind11/pybind11.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>

#include "common/in_parts.hpp"
#include "common/nanoseconds.hpp"
#include "python_values.hpp"

namespace py = pybind11;

namespace stest {

namespace {

struct Known {
  std::string path;
  std::array<std::int64_t, 4> state;
};

/// 0 for what 64 bits cannot hold: no inode has that number.
std::int64_t integer(PyObject* value) {
  const auto number = PyLong_AsLongLong(value);
  if (PyErr_Occurred() == nullptr) return number;
  PyErr_Clear();
  return 0;
}

bool is_current(const Known& file) {
  struct stat info {};
  if (::stat(file.path.c_str(), &info) != 0) return false;
  return file.state == std::array<std::int64_t, 4>{nanoseconds(info.st_mtim), nanoseconds(info.st_ctim),
                                                   info.st_size, static_cast<std::int64_t>(info.st_ino)};
}

/// Without a state where Python has none: there was no such file.
Known known(py::handle path, py::handle state) {
  Known file{fs_encode(py::reinterpret_borrow<py::str>(path)), {}};
  if (state.is_none()) return file;
  const auto parts = py::reinterpret_borrow<py::tuple>(state);
  for (std::size_t i = 0; i < file.state.size(); ++i) file.state[i] = integer(py::object(parts[i]).ptr());
  return file;
}

}  // namespace

std::vector<std::size_t> in_other_state(const py::list& paths, const py::list& states) {
  std::vector<Known> files;
  files.reserve(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) files.push_back(known(paths[i], states[i]));
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
