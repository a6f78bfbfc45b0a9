#pragma once

#include <pybind11/pybind11.h>

#include <set>
#include <string>

/// Audit events (PEP 578) for functions in Python. Each function gets only the events that it wants. A hook
/// of `sys.addaudithook` gets all events: it costs half a microsecond at each `id()`, and cannot be removed.
namespace stest::audit {

/// From now on calls `listener(event, args)` for these events in this interpreter, as `sys.addaudithook`
/// does: in the thread that acts, before the action, and without tracing and profiling. Throws what Python
/// throws.
///
/// Each `watch::Question` is a further event, without arguments, such as "stest.clock". Questions of the
/// listeners themselves raise no event. Questions for the time or the process id raise none without the
/// interpreter's lock: CPython itself asks when it takes the lock.
void add(pybind11::function listener, std::set<std::string, std::less<>> events);

/// Removes what `add` has added.
void remove(const pybind11::function& listener);

}  // namespace stest::audit
