#pragma once

#include <pybind11/pytypes.h>

#include <exception>
#include <string>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// Strings of the operating system, as Python has them in `sys.argv`.
pybind11::list fs_decode(const std::vector<std::string>& values);

/// The inverse, of one of them.
std::string fs_encode(const pybind11::str& value);

/// A dictionary of bytes, as `os.environb` is.
pybind11::dict python_environment(const Environment& env);

/// What an error says, Python's own included, without where it was raised.
std::string one_line(const std::exception& error);

/// A Python string as UTF-8, whatever is in it (node ids may hold lone surrogates).
std::string utf8(const pybind11::str& text);

}  // namespace stest
