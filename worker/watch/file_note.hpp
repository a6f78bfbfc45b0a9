#pragma once

#include <features.h>
#include <sys/types.h>

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
#define STEST_INTERPOSES_FILES 1
#endif

namespace stest::file_reads {

/// How a path is used.
enum class How {
  looked_at,
  opened,
  written,  ///< Opened for writing only; its contents are not read.
  listed,
  searched,  ///< By a function of the C library whose own looks are not seen: it counts as changed.
};

/// Records that this process uses the path `name`, relative to the descriptor `folder` if it is not absolute.
/// Called by the interposed functions; does nothing unless looks are recorded.
void note(int folder, const char* name, How how = How::looked_at);

/// Whether this removal is put off.
bool puts_off(const char* path);
/// A descriptor of a file in memory if this opening is put off; else -1.
int puts_off(const char* path, int flags, mode_t mode);

/// Whether this entry of the opened `folder` is to be left out, because the removal of the file is put off.
bool hides(int folder, const char* name);

}  // namespace stest::file_reads
