#include "worker/python/python_values.hpp"

#include <pybind11/pybind11.h>

#include <filesystem>
#include <map>

namespace py = pybind11;

namespace stest {

void import_package(const std::string& folder) {
  const py::list decoded = fs_decode({std::filesystem::path(folder).parent_path().string()});
  const py::object parent = decoded[0];
  const auto sys = py::module_::import("sys");
  sys.attr("path").attr("insert")(0, parent);
  py::module_::import("sprintest");
  sys.attr("path").attr("remove")(parent);
  sys.attr("path_importer_cache").attr("pop")(parent, py::none());
}

py::object own_module(const std::string& name) {
  static auto& modules = *new std::map<std::string, py::object>;  // Python may end before static objects do.
  auto& module = modules[name];
  if (!module) module = py::module_::import(name.c_str());
  return module;
}

py::list fs_decode(const std::vector<std::string>& values) {
  py::list result;
  for (const auto& value : values) {
    result.append(py::reinterpret_steal<py::object>(
        PyUnicode_DecodeFSDefaultAndSize(value.data(), static_cast<Py_ssize_t>(value.size()))));
  }
  return result;
}

std::string fs_encode(const py::str& value) {
  const auto bytes = py::reinterpret_steal<py::bytes>(PyUnicode_EncodeFSDefault(value.ptr()));
  if (!bytes) throw py::error_already_set();
  return bytes;
}

py::dict python_environment(const Environment& env) {
  py::dict result;
  for (const auto& [name, value] : env) result[py::bytes(name)] = py::bytes(value);
  return result;
}

std::string one_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

std::string utf8(const py::str& text) {
  const auto bytes =
      py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  if (!bytes) throw py::error_already_set();
  return bytes;
}

}  // namespace stest
