#pragma once

#include <pybind11/pybind11.h>

/// Compares by identity what modules, classes and containers hold. It is in C++, because after each preloaded
/// module there are hundreds of thousands of objects to compare.
namespace stest::held_objects {

/// Those of `known` whose `holder` has other values now than their `values`. If the holder is not a class,
/// dictionary, list or set, the method `has_changed` decides. Throws what that raises.
pybind11::list changed(const pybind11::iterable& known);

/// What is another value now: for each a tuple of name, variables, values and key. `table`: a list of tuples
/// of the name of a module, its variables, and some of the values that they had. `except`: names that are
/// passed over. Changes no reference counts, since each would copy a page of a forked process.
pybind11::list changed_values(const pybind11::list& table, const pybind11::handle& except);

/// The names by which `variables` hold `value`, compared by identity.
pybind11::list names_of(const pybind11::dict& variables, const pybind11::handle& value);

}  // namespace stest::held_objects
