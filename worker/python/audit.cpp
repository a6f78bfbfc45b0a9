#include "worker/python/audit.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/watch/questions.hpp"

#if PY_VERSION_HEX >= 0x030F0000
#define Py_BUILD_CORE
#include <internal/pycore_debug_offsets.h>
#undef Py_BUILD_CORE
extern "C" const _Py_DebugOffsets _PyRuntime;  // It begins with them.
#endif

namespace py = pybind11;

namespace stest::audit {

namespace {

using watch::Question;

struct Listener {
  py::function function;
  std::set<std::string, std::less<>> events;
};

using Listeners = std::vector<Listener>;

/// The list is replaced as a whole: an allocator may read the clock (those of sanitizers and of jemalloc do),
/// and an event may come during a change. It is never destroyed: the interpreter outlives static objects.
std::shared_ptr<const Listeners>& listeners() {
  static auto* const all = new std::shared_ptr<const Listeners>(std::make_shared<Listeners>());
  return *all;
}
PyInterpreterState* interpreter = nullptr;
constexpr std::array<const char*, 5> own_names{"stest.clock", "stest.randomness", "stest.identity",
                                               "stest.folder", "a system call without the C library"};
/// Whether there are listeners to these. Atomic: most threads that ask do not hold the interpreter's lock.
std::array<std::atomic<bool>, own_names.size()> own_is_wanted{};
/// Guarded by the interpreter's lock.
bool is_telling = false;

void replace_listeners(Listeners changed) {
  std::shared_ptr<const Listeners> all = std::make_shared<Listeners>(std::move(changed));
  listeners().swap(all);  // The old list is released when this function returns.
  for (std::size_t i = 0; i < own_names.size(); ++i) {
    const auto hears = [&](const Listener& one) { return one.events.contains(own_names[i]); };
    own_is_wanted[i] = std::any_of(listeners()->begin(), listeners()->end(), hears);
  }
}

/// Turns tracing and profiling off: tools that the tests use must not see the hook.
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
  const auto all = listeners();  // A copy: listeners may remove themselves.
  const std::string_view name = event;
  for (const Listener& one : *all) {
    if (!one.events.contains(name) || PyInterpreterState_Get() != interpreter) continue;
    const Untraced untraced;
    PyObject* const result = PyObject_CallFunction(one.function.ptr(), "sO", event, args);
    if (result == nullptr) return -1;
    Py_DECREF(result);
  }
  return 0;
}

/// Since 3.15 the collector measures its time, which says nothing about the code that runs.
bool is_collecting() noexcept {
#if PY_VERSION_HEX >= 0x030F0000
  const auto offset = _PyRuntime.interpreter_state.gc + _PyRuntime.gc.collecting;
  return *reinterpret_cast<const int*>(reinterpret_cast<const char*>(PyInterpreterState_Get()) + offset) != 0;
#else
  return false;
#endif
}

bool is_heard(Question question) noexcept {
  if (!own_is_wanted[static_cast<std::size_t>(question)]) return false;
  if (question != Question::clock && question != Question::identity) return true;
  return PyGILState_Check() != 0 && !is_telling && !is_collecting();
}

void raise_event(Question question) noexcept {
  if (!is_heard(question)) return;
  const int error = errno;
  // CPython releases the lock before it asks for random numbers or for the folder.
  const py::gil_scoped_acquire lock;
  if (!is_telling) {
    is_telling = true;
    const py::error_scope kept;  // The calling code may be about to raise an exception.
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
  Listeners changed = *listeners();
  changed.push_back({std::move(listener), std::move(events)});
  replace_listeners(std::move(changed));
}

void remove(const py::function& listener) {
  Listeners changed = *listeners();
  std::erase_if(changed, [&](const Listener& known) { return known.function.equal(listener); });
  replace_listeners(std::move(changed));
}

}  // namespace stest::audit
