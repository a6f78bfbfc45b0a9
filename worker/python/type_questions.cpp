#include "worker/python/type_questions.hpp"

#include <set>

namespace py = pybind11;

namespace stest::type_questions {

namespace {

/// The pointers are only compared; the functions live as long as Python.
std::set<const PyObject*>& codes() {
  static auto* const all = new std::set<const PyObject*>;
  return *all;
}
std::set<const PyObject*>& passed() {
  static auto* const all = new std::set<const PyObject*>;
  return *all;
}

/// Holds the interpreter's lock, in a thread that has run Python and may have released it for a system call.
class Lock {
 public:
  explicit Lock(PyThreadState* state) : state_(PyGILState_Check() != 0 ? nullptr : state) {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  ~Lock() {
    if (state_ != nullptr) PyEval_SaveThread();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  PyThreadState* state_;
};

py::object back(const py::object& frame) {
  return py::reinterpret_steal<py::object>(
      reinterpret_cast<PyObject*>(PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(frame.ptr()))));
}

const PyObject* code(const py::object& frame) {
  auto* const found = PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame.ptr()));
  Py_DECREF(found);  // The frame keeps a reference.
  return reinterpret_cast<PyObject*>(found);
}

void add(std::set<const PyObject*>& to, const py::list& functions) {
  for (const auto& function : functions) to.insert(function.attr("__code__").ptr());
}

}  // namespace

void know(const py::list& functions, const py::list& passes) {
  add(codes(), functions);
  add(passed(), passes);
}

bool is_asked() {
  auto* const state = PyGILState_GetThisThreadState();
  if (state == nullptr || codes().empty()) return false;
  const Lock lock(state);
  auto frame = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(state)));
  while (frame && passed().count(code(frame)) != 0) frame = back(frame);
  return frame && codes().count(code(frame)) != 0;
}

}  // namespace stest::type_questions
