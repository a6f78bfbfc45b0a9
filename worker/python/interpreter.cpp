#include "worker/python/interpreter.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>

#include <string>
#include <utility>

#include "worker/python/start_reads.hpp"

namespace py = pybind11;

namespace stest {

class Interpreter::Impl {
 public:
  explicit Impl(PyConfig* config) : guard_(config, 0, nullptr, /*add_program_dir_to_path=*/false) {}

 private:
  py::scoped_interpreter guard_;
};

namespace {

std::vector<std::string> loaded;

/// Fills `config` as for `executable -m something`, without a command line. From `program_name` CPython
/// derives `sys.executable`, `pyvenv.cfg` and the prefix.
PyStatus configure(PyConfig& config, const std::string& executable) {
  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  return PyConfig_SetBytesString(&config, &config.program_name, executable.c_str());
}

/// The embedded library must have the version of `executable`, whose modules are compiled for that version.
Status check_version() {
  const py::module_ sys = py::module_::import("sys");
  const auto expected =
      std::string("python") + std::to_string(PY_MAJOR_VERSION) + "." + std::to_string(PY_MINOR_VERSION);
  const auto lib = py::module_::import("os").attr("__file__").cast<std::string>();
  if (lib.find(expected) != std::string::npos) return {};
  return fail(ErrorCode::worker_failed,
              "stest was built for " + expected + ", but " + sys.attr("executable").cast<std::string>() +
                  " uses " + lib,
              "install stest again in this environment, from where you had it");
}

}  // namespace

Interpreter::Interpreter(std::unique_ptr<Impl> impl, AtStart at_start)
    : impl_(std::move(impl)), at_start_(std::move(at_start)) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

std::string Interpreter::version() const {
  const py::tuple numbers = py::module_::import("sys").attr("version_info");
  return py::str("{}.{}.{}").format(numbers[0], numbers[1], numbers[2]).cast<std::string>();
}

std::string Interpreter::prefix() const {
  return py::module_::import("sys").attr("prefix").cast<std::string>();
}

std::optional<std::string> Interpreter::missing_package() const try {
  const py::object find = py::module_::import("importlib.util").attr("find_spec");
  if (find("sprintest").is_none()) {
    return "this stest was built for Python " + version() + ", and this environment has no stest for that (" +
           prefix() + "); install stest again with this environment's Python";
  }
  if (!find("pytest").is_none()) return std::nullopt;
  return "pytest is not installed in this environment (" + prefix() +
         "); `python -m pip install pytest` installs it";
} catch (const std::exception&) {  // A finder has failed, which says nothing about these packages.
  return std::nullopt;
}

const std::vector<std::string>& modules_at_start() { return loaded; }

Result<Interpreter> Interpreter::start(const std::string& executable) {
  PyConfig config;
  if (const PyStatus status = configure(config, executable); PyStatus_Exception(status)) {
    PyConfig_Clear(&config);
    return fail(ErrorCode::worker_failed, std::string("cannot configure Python: ") + status.err_msg);
  }
  try {
    start_reads::begin();
    auto impl = std::make_unique<Impl>(&config);
    loaded = py::list(py::module_::import("sys").attr("modules")).cast<std::vector<std::string>>();
    if (Status matches = check_version(); !matches) return tl::unexpected(matches.error());
    return Interpreter(std::move(impl), start_reads::end());
  } catch (const std::exception& error) {
    return fail(ErrorCode::worker_failed, std::string("cannot start Python: ") + error.what(),
                "check whether " + executable + " itself starts");
  }
}

}  // namespace stest
