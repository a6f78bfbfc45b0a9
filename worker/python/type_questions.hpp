#pragma once

#include <pybind11/pybind11.h>

/// Type questions ask only whether a path is a file, a folder or nothing, so a change of the contents does
/// not matter to them. `os.path.isfile` and similar functions ask such questions.
namespace stest::type_questions {

/// From now on `functions` ask type questions. `passes` may be called between them and the C library.
void know(const pybind11::list& functions, const pybind11::list& passes);

/// Whether the calling thread executes one of these functions. Any thread may call this, with or without the
/// interpreter's lock.
bool is_asked();

}  // namespace stest::type_questions
