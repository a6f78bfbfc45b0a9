#pragma once

/// Sees questions for values that differ between moments or processes: the time, random numbers, the process
/// id, the current folder. Functions of the C library are interposed, and the listener is told of each
/// question, from Python or C. Code that asks the processor is not seen. `raw_calls` sees raw system calls.
namespace stest::fresh_reads {

/// Must be called before a system call by number. Returns whether the call asks such a question.
bool note_system_call(long number);

}  // namespace stest::fresh_reads
