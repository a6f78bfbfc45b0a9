#pragma once

#include <string>

/// System calls that code makes by an instruction of its own, without the C library: Go, some of Rust's
/// crates, assembly. The functions that are interposed do not see these.
///
/// Needs Linux 5.11 on x86-64 and glibc 2.34; elsewhere, and where a sandbox or a sanitizer is in the way,
/// nothing is seen, and nothing else changes. One thread at a time is watched: the one that imports.
namespace stest::raw_calls {

/// From now on each such call of this thread, or of its forks, is noted before it is made, as that of the C
/// library's function would be. Of the first whose meaning is not known here `Question::system_call` is
/// told, and `unknown` gives its name; what the thread calls later is not seen.
void start();

/// No more is seen, and SIGSYS is what it would be if nothing had been.
void stop();

/// Empty if there was none.
std::string unknown();

}  // namespace stest::raw_calls
