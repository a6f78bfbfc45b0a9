#include "worker/python/start_reads.hpp"

#include <pybind11/eval.h>
#include <pybind11/stl.h>

#include <string_view>
#include <utility>

#include "worker/python/environment_reads.hpp"
#include "worker/python/python_values.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/raw_calls.hpp"

namespace py = pybind11;

namespace stest::start_reads {

namespace {

/// An `EnvironmentReads` that is entered. It is a bare pointer, so that it is never destroyed.
PyObject* reads = nullptr;
bool is_waiting = false;

bool is_loaded(PyObject* module) {
  if (module == nullptr) return false;
  const auto spec = py::getattr(module, "__spec__", py::none());
  return !spec.is_none() && !py::cast<bool>(py::getattr(spec, "_initializing", py::bool_(false)));
}

void follow_environment() {
  py::dict scope;
  scope["__name__"] = "environment_reads";
  scope["__builtins__"] = py::handle(PyEval_GetBuiltins());
  py::exec(environment_reads_source, scope);
  const py::cpp_function nothing([](const py::args&) {});
  auto object = scope["EnvironmentReads"](nothing, nothing);
  object.attr("__enter__")();
  reads = object.release().ptr();
}

/// Begins at the first import after `os` is loaded: before that, no Python code may be called here.
int on_event(const char* event, PyObject*, void*) {
  if (!is_waiting || std::string_view(event) != "import") return 0;
  PyObject* const modules = PyImport_GetModuleDict();
  try {
    if (modules == nullptr || !is_loaded(PyDict_GetItemString(modules, "os"))) return 0;
    is_waiting = false;
    follow_environment();
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("stest's observation of Python's start");
  }
  return 0;
}

protocol::Ready::File state_of(const std::string& path) {
  return {"what runs when Python starts", path, file_state(path)};
}

/// The standard library changes only with the interpreter, which is compared elsewhere. Paths that the kernel
/// provides are not files.
bool is_passed_over(const std::string& path, const std::string& standard_library) {
  for (const auto* folder : {"/proc/", "/sys/", "/dev/"}) {
    if (path.starts_with(folder)) return true;
  }
  return path.starts_with(standard_library) && path.find("-packages/") == path.npos;
}

std::vector<protocol::Ready::File> files() {
  const auto os = fs_encode(py::str(py::module_::import("os").attr("__file__")));
  const std::string standard_library = os.substr(0, os.rfind('/') + 1);
  std::vector<protocol::Ready::File> found;
  for (const auto& path : file_reads::files()) {
    if (is_passed_over(path, standard_library)) continue;
    found.push_back(state_of(path));
    if (file_reads::has_changed(path)) found.back().state.mtime_ns = 0;
  }
  // Python looks for these by listing a folder, which need not be a site directory.
  for (const auto& entry : py::list(py::module_::import("sys").attr("path"))) {
    if (!py::isinstance<py::str>(entry)) continue;
    const auto folder = fs_encode(py::str(entry));
    if (folder.starts_with(standard_library)) continue;
    for (const auto* name : {"/sitecustomize.py", "/usercustomize.py"})
      found.push_back(state_of(folder + name));
  }
  return found;
}

}  // namespace

void begin() {
  file_reads::start({}, nullptr);
  raw_calls::start();
  is_waiting = true;
  PySys_AddAuditHook(on_event, nullptr);
}

AtStart end() {
  is_waiting = false;
  AtStart result;
  file_reads::stop();
  raw_calls::stop();
  result.files = files();
  if (reads != nullptr) {
    const py::object object = py::reinterpret_steal<py::object>(std::exchange(reads, nullptr));
    object.attr("__exit__")();
    result.env_reads = object.attr("reads").cast<decltype(result.env_reads)>();
  }
  return result;
}

}  // namespace stest::start_reads
