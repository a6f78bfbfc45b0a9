#pragma once

#include "worker/python/interpreter.hpp"

/// Follows what runs when the interpreter starts.
namespace stest::start_reads {

/// To be called before CPython is initialised.
void begin();

/// To be called afterwards, once. What was looked at while it changed gets an impossible time. Throws what
/// Python throws.
AtStart end();

}  // namespace stest::start_reads
