#include "worker/python/held_objects.hpp"

namespace py = pybind11;

namespace stest::held_objects {

namespace {

/// The attributes of a class, and not the proxy that Python code gets; null if it has none.
py::object attributes(PyObject* type) {
#if PY_VERSION_HEX >= 0x030C0000
  return py::reinterpret_steal<py::object>(PyType_GetDict(reinterpret_cast<PyTypeObject*>(type)));
#else
  return py::reinterpret_borrow<py::object>(reinterpret_cast<PyTypeObject*>(type)->tp_dict);
#endif
}

/// Calls no Python code, so neither dictionary can change meanwhile.
bool have_same_values(PyObject* one, PyObject* other) {
  if (PyDict_Size(one) != PyDict_Size(other)) return false;
  Py_ssize_t i = 0, k = 0;
  PyObject *value = nullptr, *other_value = nullptr;
  while (PyDict_Next(one, &i, nullptr, &value) != 0) {
    if (PyDict_Next(other, &k, nullptr, &other_value) == 0 || value != other_value) return false;
  }
  return true;
}

bool have_same_items(PyObject* one, PyObject* other) {
  const auto size = PyList_GET_SIZE(one);
  if (size != PyList_GET_SIZE(other)) return false;
  for (Py_ssize_t i = 0; i < size; ++i) {
    if (PyList_GET_ITEM(one, i) != PyList_GET_ITEM(other, i)) return false;
  }
  return true;
}

/// Compares them in order. Equal sets in another order count as different here; the caller looks more
/// closely.
bool have_same_members(const py::handle& one, const py::handle& other) {
  if (PySet_GET_SIZE(one.ptr()) != PySet_GET_SIZE(other.ptr())) return false;
  auto other_member = py::iter(other);
  for (const auto& member : one) {
    if (!member.is(*other_member)) return false;
    ++other_member;
  }
  return true;
}

bool has_changed(const py::handle& known, const py::str& holder_name, const py::str& values_name) {
  const py::object holder = known.attr(holder_name);
  const py::object values = known.attr(values_name);
  const bool is_type = PyType_Check(holder.ptr()) != 0;
  const py::object now = is_type ? attributes(holder.ptr()) : holder;
  if (!now) return true;
  if (PyDict_Check(now.ptr()) && PyDict_Check(values.ptr()))
    return !have_same_values(now.ptr(), values.ptr());
  if (PyList_Check(now.ptr()) && PyList_Check(values.ptr())) return !have_same_items(now.ptr(), values.ptr());
  if (PyAnySet_Check(now.ptr()) && PyAnySet_Check(values.ptr())) return !have_same_members(now, values);
  return py::cast<bool>(known.attr("has_changed")());
}

}  // namespace

py::list changed(const py::iterable& known) {
  const py::str holder_name("holder"), values_name("values");
  py::list found;
  for (const auto& one : known) {
    if (has_changed(one, holder_name, values_name)) found.append(one);
  }
  return found;
}

py::list changed_values(const py::list& table, const py::handle& except) {
  py::list found;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(table.ptr()); ++i) {
    PyObject* const group = PyList_GET_ITEM(table.ptr(), i);
    PyObject *const name = PyTuple_GET_ITEM(group, 0), *const variables = PyTuple_GET_ITEM(group, 1),
                    *const values = PyTuple_GET_ITEM(group, 2);
    if (PySet_Contains(except.ptr(), name) != 0) continue;
    Py_ssize_t k = 0;
    PyObject *key = nullptr, *value = nullptr;
    while (PyDict_Next(values, &k, &key, &value) != 0) {
      if (PyDict_GetItemWithError(variables, key) != value) {
        found.append(
            py::make_tuple(py::handle(name), py::handle(variables), py::handle(values), py::handle(key)));
      }
    }
  }
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return found;
}

py::list names_of(const py::dict& variables, const py::handle& value) {
  py::list found;
  Py_ssize_t i = 0;
  PyObject *name = nullptr, *held = nullptr;
  while (PyDict_Next(variables.ptr(), &i, &name, &held) != 0) {
    if (held == value.ptr()) found.append(py::handle(name));
  }
  return found;
}

}  // namespace stest::held_objects
