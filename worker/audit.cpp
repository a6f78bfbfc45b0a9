#include "audit.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "watch/questions.hpp"

namespace py = pybind11;

namespace stest::audit {

namespace {

using watch::Question;

struct Listener {
  py::function function;
  std::set<std::string, std::less<>> events;
};

/// Never destroyed: the interpreter outlives all else here.
std::vector<Listener>& listeners() {
  static auto* const all = new std::vector<Listener>;
  return *all;
}
PyInterpreterState* interpreter = nullptr;
constexpr std::array<const char*, 5> own_names{"stest.clock", "stest.randomness", "stest.identity",
                                               "stest.folder", "a system call of its own"};
/// Whether there are listeners to these. Most threads that ask do not hold any lock.
std::array<std::atomic<bool>, own_names.size()> own_is_wanted{};
/// Under the interpreter's lock.
bool is_telling = false;

void look_who_hears() {
  const auto& all = listeners();
  for (std::size_t i = 0; i < own_names.size(); ++i) {
    own_is_wanted[i] = std::any_of(all.begin(), all.end(),
                                   [&](const Listener& one) { return one.events.contains(own_names[i]); });
  }
}

/// The hook must not be seen by what the tests trace or profile with.
class Untraced {
 public:
#if PY_VERSION_HEX >= 0x030B0000
  Untraced() : thread_(PyThreadState_Get()) { PyThreadState_EnterTracing(thread_); }
  ~Untraced() { PyThreadState_LeaveTracing(thread_); }
#else
  Untraced() : thread_(PyThreadState_Get()), before_(use_tracing()) {
    ++thread_->tracing;
    use_tracing() = 0;
  }
  ~Untraced() {
    --thread_->tracing;
    use_tracing() = before_;
  }
#endif
  Untraced(const Untraced&) = delete;
  Untraced& operator=(const Untraced&) = delete;

 private:
  PyThreadState* thread_;
#if PY_VERSION_HEX < 0x030A0000
  int& use_tracing() { return thread_->use_tracing; }
  int before_;
#elif PY_VERSION_HEX < 0x030B0000
  int& use_tracing() { return thread_->cframe->use_tracing; }
  int before_;
#endif
};

int on_event(const char* event, PyObject* args, void*) {
  const auto& all = listeners();
  const std::string_view name = event;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].events.contains(name) || PyInterpreterState_Get() != interpreter) continue;
    const py::function function = all[i].function;  // It may remove itself.
    const Untraced untraced;
    PyObject* const result = PyObject_CallFunction(function.ptr(), "sO", event, args);
    if (result == nullptr) return -1;
    Py_DECREF(result);
  }
  return 0;
}

bool is_heard(Question question) noexcept {
  if (!own_is_wanted[static_cast<std::size_t>(question)]) return false;
  const bool is_of_python = question == Question::clock || question == Question::identity;
  return !is_of_python || (PyGILState_Check() != 0 && !is_telling);
}

void raise_event(Question question) noexcept {
  if (!is_heard(question)) return;
  const int error = errno;
  const py::gil_scoped_acquire
      lock;  // CPython lets go of it before it asks for random numbers or for the folder.
  if (!is_telling) {
    is_telling = true;
    const py::error_scope kept;  // Whoever asks may be about to raise something.
    const char* name = own_names[static_cast<std::size_t>(question)];
    if (on_event(name, py::tuple().ptr(), nullptr) != 0) PyErr_WriteUnraisable(nullptr);
    is_telling = false;
  }
  errno = error;
}

}  // namespace

void add(py::function listener, std::set<std::string, std::less<>> events) {
  if (interpreter == nullptr) {
    interpreter = PyInterpreterState_Get();
    if (PySys_AddAuditHook(on_event, nullptr) != 0) throw py::error_already_set();
    watch::set_listener({is_heard, raise_event});
  }
  listeners().push_back({std::move(listener), std::move(events)});
  look_who_hears();
}

void remove(const py::function& listener) {
  std::erase_if(listeners(), [&](const Listener& known) { return known.function.equal(listener); });
  look_who_hears();
}

}  // namespace stest::audit
