#pragma once

#include <pybind11/pybind11.h>

/// Who looks at a path only to find out whether there is a file or a folder learns nothing else: a change of
/// its contents is none to him. `os.path.isfile` and its like are such, whoever calls them.
namespace stest::type_questions {

/// These Python functions are, from now on. `passes` are those that may stand between them and the C library.
void know(const pybind11::list& functions, const pybind11::list& passes);

/// Whether the calling thread executes one of them. Any thread may ask, with or without the interpreter's
/// lock.
bool is_asked();

}  // namespace stest::type_questions
