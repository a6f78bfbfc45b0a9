#pragma once

#include "worker/python/interpreter.hpp"

/// Observes the code that runs when the interpreter starts.
namespace stest::start_reads {

/// Must be called before CPython is initialised.
void begin();

/// Must be called once after that. A file that changed while it was looked at gets an impossible time. Throws
/// what Python throws.
AtStart end();

}  // namespace stest::start_reads
