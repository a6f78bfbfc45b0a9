#pragma once

#include <pybind11/pybind11.h>

/// What modules, classes and containers hold, compared by identity: hundreds of thousands of objects after
/// each module that is loaded ahead.
namespace stest::held_objects {

/// Of `known`, objects with a `holder` and the `values` that it had: those whose holder has other values now.
/// A holder that is neither a class, a dictionary, a list nor a set is asked by `has_changed`. Throws what
/// that raises.
pybind11::list changed(const pybind11::iterable& known);

/// The names by which `variables` hold this very `value`.
pybind11::list names_of(const pybind11::dict& variables, const pybind11::handle& value);

}  // namespace stest::held_objects
