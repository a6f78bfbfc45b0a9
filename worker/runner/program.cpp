#include "worker/runner/program.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/os/process.hpp"
#include "stest/messages.hpp"
#include "worker/python/python_values.hpp"
#include "worker/runner/run_context.hpp"
#include "worker/runner/run_entry.hpp"

namespace py = pybind11;

namespace stest {

namespace {

/// What this process runs; kept for `become_python`.
const protocol::RunTest* asked = nullptr;
std::string own_executable;

/// The exit code of `python`, and whether a KeyboardInterrupt ends it.
struct Ending {
  int code = 0;
  bool interrupted = false;
};

int exit_code_of(const py::error_already_set& exit) {
  const py::object code = py::getattr(exit.value(), "code", py::none());
  if (code.is_none()) return 0;
  if (PyLong_Check(code.ptr())) {
    const long number = PyLong_AsLong(code.ptr());
    if (number == -1) PyErr_Clear();  // As Python does where the number is too large.
    return static_cast<int>(number) & 0xff;
  }
  PyObject* err = PySys_GetObject("stderr");
  if (err != nullptr && err != Py_None) PyFile_WriteObject(code.ptr(), err, Py_PRINT_RAW);
  PyErr_Clear();
  PySys_WriteStderr("\n");
  return 1;
}

/// How Python ends after what was raised in `__main__`.
Ending ending_of_error() {
  py::error_already_set error;
  if (error.matches(PyExc_SystemExit)) return {exit_code_of(error)};
  const bool interrupted = error.matches(PyExc_KeyboardInterrupt);
  error.restore();
  PyErr_PrintEx(1);
  return {1, interrupted};
}

/// Called from C++, so that no frame of stest's lies below those of the program.
Ending execute(const py::object& call, const py::object& args) {
  const auto done = py::reinterpret_steal<py::object>(PyObject_CallObject(call.ptr(), args.ptr()));
  return done ? Ending{} : ending_of_error();
}

/// Whether that succeeds. What fails is reported as Python does at its end.
bool flush(const char* name) {
  PyObject* stream = PySys_GetObject(name);
  if (stream == nullptr || stream == Py_None) return true;
  const py::object file = py::reinterpret_borrow<py::object>(stream);
  const auto closed = py::reinterpret_steal<py::object>(PyObject_GetAttrString(stream, "closed"));
  PyErr_Clear();
  if (closed && PyObject_IsTrue(closed.ptr()) == 1) return true;
  const auto done = py::reinterpret_steal<py::object>(PyObject_CallMethod(stream, "flush", nullptr));
  if (done) return true;
  PyErr_WriteUnraisable(stream);
  return false;
}

/// The exit code if the last output could not be written.
constexpr int flush_failed = 120;

int finish(Ending ending) {
  const auto program = own_module("sprintest.run._program");
  program.attr("end")();
  const bool is_written = flush("stdout");
  (void)flush("stderr");
  program.attr("finalise")();
  (void)flush("stdout");
  if (ending.interrupted) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  return is_written ? ending.code : flush_failed;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

int run_program(const protocol::RunTest& request, const EnvironmentChanges& changes) {
  asked = &request;
  try {
    own_executable = py::module_::import("sys").attr("executable").cast<std::string>();
    become_like_client(request, changes);
    const py::tuple plan = own_module("sprintest.run._program").attr("prepare")(fs_decode(request.args));
    run_context().recorder.set_phase(protocol::Phase::running);
    return finish(execute(plan[0], plan[1]));
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

void become_python() {
  std::vector<std::string> words{own_executable};
  const bool has_option = !asked->args.empty() && asked->args.front() == warm_children;
  words.insert(words.end(), asked->args.begin() + (has_option ? 1 : 0), asked->args.end());
  std::vector<std::string> variables;
  for (const auto& [name, value] : asked->env) variables.push_back(name + "=" + value);
  run_context().recorder.set_phase(protocol::Phase::running);
  ::signal(SIGPIPE, SIG_DFL);  // Python ignores it, and sets it again.
  ::execve(words.front().c_str(), pointers(words).data(), pointers(variables).data());
  run_context().give_up("cannot start " + words.front());
}

void set_flags(const std::map<std::string, int>& values) {
  PyObject* old = PySys_GetObject("flags");
  auto flags = py::reinterpret_steal<py::object>(PyStructSequence_New(Py_TYPE(old)));
  const auto size = py::getattr(py::type::of(old), "n_fields").cast<Py_ssize_t>();
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* item = PyStructSequence_GetItem(old, i);
    Py_XINCREF(item);
    PyStructSequence_SetItem(flags.ptr(), i, item);
  }
  const py::object names = py::getattr(py::type::of(flags), "__match_args__", py::tuple());  // Since 3.10.
  for (const auto& [name, value] : values) {
    if (!names.contains(name)) continue;
    PyStructSequence_SetItem(flags.ptr(), names.attr("index")(name).cast<Py_ssize_t>(),
                             PyLong_FromLong(value));
  }
  PySys_SetObject("flags", flags.ptr());
}

}  // namespace stest
