#pragma once

/// What is another at each moment and in each process: clocks, randomness, the process's number, the current
/// folder. Whoever asks for it, in Python
/// or in C: the functions of the C library are interposed, and the listener is told of each question. Not
/// seen: code that asks the processor itself. Code that makes its system calls without the C library: see
/// `raw_calls`.
namespace stest::fresh_reads {

/// To be called before a system call that is made by its number. Returns whether it is one of these.
bool note_system_call(long number);

}  // namespace stest::fresh_reads
