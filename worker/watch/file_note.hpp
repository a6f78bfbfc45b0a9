#pragma once

#include <features.h>

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

}  // namespace stest::file_reads
