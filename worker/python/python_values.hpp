#pragma once

#include <pybind11/pytypes.h>

#include <exception>
#include <string>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// Loads stest's Python package from `folder`, for a Python that has none, without a trace in `sys.path`.
/// Throws what Python throws.
void import_package(const std::string& folder);

/// A module of that package. It is held, because a run hides it, and its Python may not find it again. Throws
/// what Python throws.
pybind11::object own_module(const std::string& name);

/// Converts strings of the operating system to Python's, as in `sys.argv`.
pybind11::list fs_decode(const std::vector<std::string>& values);

/// Converts one string back. Throws what Python throws.
std::string fs_encode(const pybind11::str& value);

/// A dictionary of bytes, like `os.environb`.
pybind11::dict python_environment(const Environment& env);

/// The first line of the error's message: for a Python error, without the traceback.
std::string one_line(const std::exception& error);

/// A Python string as UTF-8. Lone surrogates, which node ids may hold, become escapes such as `\udc80`.
std::string utf8(const pybind11::str& text);

}  // namespace stest
