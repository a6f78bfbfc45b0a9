#pragma once

#include <pybind11/pybind11.h>

#include <set>
#include <string>

/// Audit events (PEP 578) for functions in Python, but only those events that they want: a hook that
/// `sys.addaudithook` adds is called for each `id()`, half a microsecond every time, and can never be
/// removed.
namespace stest::audit {

/// From now on calls `listener(event, args)` for these events in this interpreter, as `sys.addaudithook` has
/// it called: in the thread that does something, before it is done, with neither tracing nor profiling.
///
/// Each `watch::Question` is an event of stest's own, without arguments: "stest.clock" and so on. What the
/// listeners themselves ask for does not count; nor does who asks for the time or the process's number
/// without the interpreter's lock: CPython itself does, when it takes that.
void add(pybind11::function listener, std::set<std::string, std::less<>> events);

/// The opposite.
void remove(const pybind11::function& listener);

}  // namespace stest::audit
