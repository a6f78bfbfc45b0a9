#include "worker/watch/fresh_reads.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <iterator>
#include <string_view>

#include "worker/watch/code.hpp"
#include "worker/watch/interpose.hpp"
#include "worker/watch/questions.hpp"

namespace stest::fresh_reads {

using watch::Question;

bool note_system_call(long number) {
  switch (number) {
    case SYS_getrandom:
      watch::tell(Question::randomness);
      return true;
    case SYS_clock_gettime:
    case SYS_getrusage:
    case SYS_gettimeofday:
    case SYS_sysinfo:
    case SYS_times:
#ifdef SYS_time
    case SYS_time:
#endif
      watch::tell(Question::clock);
      return true;
    case SYS_getcwd:
      watch::tell(Question::folder);
      return true;
    case SYS_getpid:
    case SYS_getppid:
      watch::tell(Question::identity);
      return true;
    default:
      return false;
  }
}

}  // namespace stest::fresh_reads

namespace {

namespace watch = stest::watch;
using watch::Question;

/// CPython asks for the time whenever it takes a lock, even if it need not wait.
bool takes_a_lock() {
  static const watch::Code lock = watch::code_of(::dlsym(RTLD_DEFAULT, "PyThread_acquire_lock_timed"));
  void* frames[6];
  const int count = ::backtrace(frames, std::size(frames));
  return std::any_of(frames, frames + count, [](const void* frame) { return lock.contains(frame); });
}

void ask(const void* caller, Question question) {
  if (!watch::is_of_allocator(caller)) watch::tell(question);
}

void ask_clock(const void* caller, clockid_t clock) {
  if (!watch::hears(Question::clock)) return;
  if (clock != CLOCK_MONOTONIC || !takes_a_lock()) ask(caller, Question::clock);
}

/// Whether an extension module seeds its hash tables. Rust's standard library and the crate ahash ask once
/// for as many bytes, when the first table is made. Other code cannot get at them.
bool seeds_tables(const void* caller, std::size_t size, unsigned flags) {
  if (size == 0) return true;  // It only asks whether the function works.
  if (!(size == 64 && flags == 0) && !(size == 16 && (flags & GRND_INSECURE) != 0)) return false;
  Dl_info info{};
  if (::dladdr(caller, &info) == 0 || info.dli_fname == nullptr) return false;
  const std::string_view file = info.dli_fname;
  return file.find(".cpython-") != file.npos || file.ends_with(".abi3.so");
}

void ask_random(const void* caller, std::size_t size, unsigned flags) {
  if (!watch::hears(Question::randomness)) return;
  if (!seeds_tables(caller, size, flags)) ask(caller, Question::randomness);
}

}  // namespace

#define STEST_CALLER __builtin_return_address(0)

extern "C" {
/// Fortified programs call this; no header declares it.
char* __getcwd_chk(char* buffer, size_t size, size_t room);  // NOLINT(bugprone-reserved-identifier)

#pragma GCC visibility push(default)

STEST_NOTE_NOEXCEPT(int, clock_gettime, (clockid_t clock, timespec* now), (clock, now),
                    ask_clock(STEST_CALLER, clock))
STEST_NOTE_NOEXCEPT(int, gettimeofday, (timeval * now, void* zone), (now, zone),
                    ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(time_t, time, (time_t * now), (now), ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(clock_t, times, (tms * now), (now), ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(clock_t, clock, (), (), ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(int, getrusage, (__rusage_who_t who, rusage* used), (who, used),
                    ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(int, sysinfo, (struct sysinfo * info), (info), ask(STEST_CALLER, Question::clock))
STEST_NOTE_NOEXCEPT(int, timespec_get, (timespec * now, int base), (now, base),
                    ask(STEST_CALLER, Question::clock))

STEST_NOTE(ssize_t, getrandom, (void* buffer, size_t size, unsigned flags), (buffer, size, flags),
           ask_random(STEST_CALLER, size, flags))
#if __GLIBC_PREREQ(2, 36)
STEST_NOTE_NOEXCEPT(std::uint32_t, arc4random, (), (), ask(STEST_CALLER, Question::randomness))
STEST_NOTE_NOEXCEPT(void, arc4random_buf, (void* buffer, size_t size), (buffer, size),
                    ask(STEST_CALLER, Question::randomness))
STEST_NOTE_NOEXCEPT(std::uint32_t, arc4random_uniform, (std::uint32_t below), (below),
                    ask(STEST_CALLER, Question::randomness))
#endif
STEST_NOTE(int, getentropy, (void* buffer, size_t size), (buffer, size),
           ask(STEST_CALLER, Question::randomness))

STEST_NOTE_NOEXCEPT(char*, getcwd, (char* buffer, size_t size), (buffer, size),
                    ask(STEST_CALLER, Question::folder))
STEST_NOTE(char*, __getcwd_chk, (char* buffer, size_t size, size_t room), (buffer, size, room),
           ask(STEST_CALLER, Question::folder))
STEST_NOTE_NOEXCEPT(char*, get_current_dir_name, (), (), ask(STEST_CALLER, Question::folder))

STEST_NOTE_NOEXCEPT(pid_t, getpid, (), (), ask(STEST_CALLER, Question::identity))
STEST_NOTE_NOEXCEPT(pid_t, getppid, (), (), ask(STEST_CALLER, Question::identity))

#pragma GCC visibility pop
}

#undef STEST_CALLER
