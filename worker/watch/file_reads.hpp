#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Records which files this process has looked at, in Python, a C++ library or a Rust extension.
///
/// Functions of the C library that open, list or examine a file by its name are interposed. Files that the
/// dynamic loader opens are not seen. `raw_calls` sees raw system calls.
namespace stest::file_reads {

/// Whether the functions of this C library are interposed: those of glibc 2.33 and later are.
bool is_supported();

/// Must be called before a system call by number, as Rust's library makes them. Returns whether the call
/// looks at a file by its name.
bool note_system_call(long number, const std::array<long, 6>& with);

/// From now on each path that is looked at for the first time is recorded, with its state just before. Paths
/// that begin with one of `exempt`, or are in a `__pycache__`, do not count. If `asks_for_type` returns true,
/// the calling code asks a type question, and only the kind of the path is compared.
void start(std::vector<std::string> exempt, bool (*asks_for_type)());

/// Stops recording; what is recorded stays.
void stop();
/// Continues to record after `stop`.
void go_on();

/// One of the recorded paths that has changed: there is another file or none, the file was written, or the
/// folder has other names in it. A file that was written just when it was looked at counts as changed,
/// because it is not known which bytes were read. Each path takes one `stat`.
std::optional<std::string> changed();

/// From now on the files of pytest's cache that each run reads and writes are compared too, because they
/// decide which tests this run selects. Other runs need no comparison: they read these files again when the
/// request comes.
void count_pytest_cache();

/// The recorded paths that were a file or nothing at the first look, except those opened only for writing.
std::vector<std::string> files();

/// Whether this path is recorded and has changed, as for `changed`.
bool has_changed(const std::string& path);

/// The time in nanoseconds by the kernel's coarse clock, from which files get their times.
std::int64_t now_ns();

/// When this file was last changed, by `now_ns`; -1 if there is none. The path is not recorded.
std::int64_t changed_ns(const std::string& path);

/// Whether an opened file, except in pytest's cache, may have been written at this time by `now_ns`, or
/// later. It goes by the time of the inode's last change, which no program can set.
bool written_since(std::int64_t time_ns);

/// The next removal of `path`, as given here, or the next opening to write it anew, is put off until
/// `carry_out_changes`. A removed file is not in the list of its folder any more; what is written goes to a
/// file in memory.
void put_off(std::string path);
/// Whether a file whose change is put off was looked at since: it is not what it should be.
bool has_seen_unchanged();
/// Makes the changes, in their order. Returns whether all files could be written.
bool carry_out_changes();

/// The folders in which inotify reports a change of one of the recorded paths.
std::vector<std::string> folders();

}  // namespace stest::file_reads
