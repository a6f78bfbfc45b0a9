#pragma once

#include <string>

/// Sees raw system calls, which code makes without the C library: Go, some Rust crates, assembly. Interposed
/// functions do not see these.
///
/// Needs Linux 5.11 on x86-64 and glibc 2.34. Elsewhere, and if a sandbox or a sanitizer is in the way, no
/// calls are seen, and nothing else changes. Only one thread at a time is watched: the one that imports.
namespace stest::raw_calls {

/// From now on each raw system call of this thread and of its forks is noted before it is made, like a call
/// of the C library's function. At the first call of unknown meaning, the listener is told
/// `Question::system_call`, and `unknown` returns its name. Later calls are not seen.
void start();

/// Stops watching, and gives SIGSYS the action that it would have without `start`.
void stop();

/// The name of the first call of unknown meaning; empty if there was none.
std::string unknown();

}  // namespace stest::raw_calls
