#pragma once

#include <pybind11/pybind11.h>

/// Which objects do more than free memory when they end: they have a finaliser (`__del__`, or that of a file
/// or of a suspended generator), a weak reference with a callback, or a type of an extension module that is
/// not known here. None of these functions calls code of the objects, but for `run`.
namespace stest::finalisers {

/// Whether one of `objects`, or of what they refer to, has a finaliser. `a_class`: any class made by Python
/// code.
bool are_in(const pybind11::list& objects, const pybind11::handle& a_class);

/// Whether none of `objects` is garbage that has a finaliser, and none with a finaliser can be reached from
/// `variables`, a list of dictionaries. `objects`: all that the collector looks at. `live`: from these every
/// object with a finaliser must be reachable that is in use elsewhere.
bool are_only_in_use_elsewhere(const pybind11::list& objects, const pybind11::list& variables,
                               const pybind11::list& live, const pybind11::handle& a_class);

/// Runs the finalisers of those `objects`, in this order, that can be reached from `variables` and not from
/// `live`, as the collector does when all of them are garbage: before any is cleared, and without the
/// callbacks of weak references that are garbage themselves.
void run(const pybind11::list& objects, const pybind11::list& variables, const pybind11::list& live,
         const pybind11::handle& a_class);

}  // namespace stest::finalisers
