#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Which files this process has looked at, whoever did: Python, a C++ library, a Rust extension.
///
/// The functions of the C library that open, list or examine a file by its name are interposed.
/// Not seen: what the dynamic loader opens. Code that makes its system calls without the C library: see
/// `raw_calls`.
namespace stest::file_reads {

/// Whether the C library is one whose functions are known here: glibc 2.33 and later.
bool is_supported();

/// To be called before a system call that is made by its number: Rust's library does that, for one. Returns
/// whether it is one of these.
bool note_system_call(long number, const std::array<long, 6>& with);

/// From now on, what is looked at for the first time is taken down with the state that it had just before.
/// Paths that begin with one of `exempt` do not count, nor does what lies in a `__pycache__`. Where
/// `asks_for_type`, the caller will only know whether there is a file, a folder or nothing, and that is all
/// that is compared.
void start(std::vector<std::string> exempt, bool (*asks_for_type)());

/// No more is taken down.
void stop();
/// More is taken down.
void go_on();

/// One of these paths that is not as it was: another file or none, other bytes, a folder with other names
/// in it. A file that was written at the very time when it was looked at counts as changed: which
/// bytes were read cannot be known. Each is one `stat`.
std::optional<std::string> changed();

/// Files of pytest's cache that each run reads and writes count from now on: what they hold decides which
/// tests this one runs. Until then they are not compared: they are read anew when the request comes.
void count_pytest_cache();

/// Those of these paths that were files, or nothing, when they were looked at first; not what was opened only
/// to be written.
std::vector<std::string> files();

/// Whether this is one of those that `changed` looks for.
bool has_changed(const std::string& path);

/// The time by the kernel's coarse clock, which gives files their times.
std::int64_t now_ns();

/// When this file was last changed, by `now_ns`; -1 where there is none. Is not taken down.
std::int64_t changed_ns(const std::string& path);

/// Whether a file that was opened, those of pytest's cache apart, may have been written at this time by
/// `now_ns`, or later. Nobody can set that back.
bool written_since(std::int64_t time_ns);

/// The folders in which a change of one of these paths would be an event for inotify.
std::vector<std::string> folders();

}  // namespace stest::file_reads
