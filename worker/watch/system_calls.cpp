// System calls by number, which programs make if the C library has no function for them.

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdarg>

#include "worker/watch/code.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/fresh_reads.hpp"
#include "worker/watch/interpose.hpp"

extern "C" __attribute__((visibility("default"))) long syscall(long number, ...) noexcept {
  STEST_NEXT(syscall);
  va_list list;
  va_start(list, number);
  std::array<long, 6> with{};
  for (long& one : with) one = va_arg(list, long);  // NOLINT(clang-analyzer-valist.Uninitialized)
  va_end(list);
  stest::file_reads::note_system_call(number, with);
  if (!stest::watch::is_of_allocator(__builtin_return_address(0)))
    stest::fresh_reads::note_system_call(number);
  return original(number, with[0], with[1], with[2], with[3], with[4], with[5]);
}
