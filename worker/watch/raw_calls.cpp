// Linux's Syscall User Dispatch: the kernel sends SIGSYS in place of each system call that a thread makes
// outside of one range of addresses, here the C library's code. The handler makes the call through that code.
//
// The signal comes at an instruction of the program, and never within the C library. So the handler may do
// what a function called at that place may do: take locks, allocate memory, run Python, wait for a request.

#include "worker/watch/raw_calls.hpp"

#include <dlfcn.h>
#include <linux/audit.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "worker/watch/code.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/fresh_reads.hpp"
#include "worker/watch/interpose.hpp"
#include "worker/watch/questions.hpp"

#if defined(__x86_64__) && defined(__GLIBC__) && defined(PR_SET_SYSCALL_USER_DISPATCH)

namespace stest::raw_calls {

namespace {

using watch::Code;
using watch::code_around;
using watch::Question;

auto* const library_call = interpose::next<decltype(::syscall)>("syscall");
auto* const library_sigaction = interpose::next<decltype(::sigaction)>("sigaction");
const Code library = code_around(reinterpret_cast<const void*>(library_call));
/// Files that the loader opens are compared elsewhere. Functions of the kernel (vDSO) make a system call if
/// they have no answer; the function of the C library that called them was noted.
const Code loader = code_around(::dlsym(RTLD_NEXT, "__tls_get_addr"));
const Code kernels = code_around(reinterpret_cast<const void*>(::getauxval(AT_SYSINFO_EHDR)));  // NOLINT

/// The kernel reads this at each call.
volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
bool is_on = false;
struct sigaction others {};  ///< The action of SIGSYS without ours.
long first_unknown = -1;

/// Such a call concerns only the process itself, or a file that was noted when it was opened.
bool is_harmless(long number) {
  constexpr std::array all{SYS_brk,         SYS_close,      SYS_fstat,  SYS_futex,    SYS_getegid,
                           SYS_geteuid,     SYS_getgid,     SYS_gettid, SYS_getuid,   SYS_lseek,
                           SYS_madvise,     SYS_membarrier, SYS_mmap,   SYS_mprotect, SYS_mremap,
                           SYS_munmap,      SYS_pread64,    SYS_read,   SYS_readv,    SYS_sched_getaffinity,
                           SYS_sched_yield, SYS_uname};
  return std::find(all.begin(), all.end(), number) != all.end();
}

bool note(long number, const std::array<long, 6>& with) {
  return file_reads::note_system_call(number, with) || fresh_reads::note_system_call(number);
}

/// Lets the program make this call and all later ones itself: the handler can neither start a thread for the
/// program nor return from another signal.
void give_up(long number, gregset_t& registers) {
  constexpr int instruction = 2;  // Bytes.
  if (first_unknown < 0) first_unknown = number;
  watch::tell(Question::system_call);
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  registers[REG_RIP] -= instruction;
  registers[REG_RAX] = number;
}

void make(long number, const std::array<long, 6>& with, gregset_t& registers) {
  const long result = library_call(number, with[0], with[1], with[2], with[3], with[4], with[5]);
  registers[REG_RAX] = result == -1 ? -errno : result;
  if (is_on) selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

/// A sandbox sends SIGSYS too, and so may any program.
void pass_on(int signal, siginfo_t* info, void* context) {
  if ((others.sa_flags & SA_SIGINFO) != 0) return others.sa_sigaction(signal, info, context);
  if (others.sa_handler == SIG_IGN) return;
  if (others.sa_handler != SIG_DFL) return others.sa_handler(signal);
  library_sigaction(signal, &others, nullptr);
  ::raise(signal);
}

void on_signal(int signal, siginfo_t* info, void* context) {
  constexpr int is_dispatched = 2;  // SYS_USER_DISPATCH, which only the kernel's headers define.
  if (info->si_code != is_dispatched) return pass_on(signal, info, context);
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  const int error = errno;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const std::array<long, 6> with{registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                 registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
  const long number = info->si_syscall;
  const bool is_systems = loader.contains(info->si_call_addr) || kernels.contains(info->si_call_addr) ||
                          watch::is_of_allocator(info->si_call_addr);
  const bool is_known =
      info->si_arch == AUDIT_ARCH_X86_64 && (is_systems || is_harmless(number) || note(number, with));
  if (is_known) {
    make(number, with, registers);
  } else {
    give_up(number, registers);
  }
  errno = error;
}

bool arm() {
  if (::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, library.begin, library.end - library.begin,
              &selector) != 0)
    return false;
  selector = SYSCALL_DISPATCH_FILTER_BLOCK;
  return true;
}

/// A child does not inherit the dispatch.
void arm_fork() {
  if (is_on && first_unknown < 0) arm();
}

/// Before glibc 2.34 threads have a separate library.
bool is_possible() {
  return library.contains(::dlsym(RTLD_NEXT, "pthread_create")) && !watch::has_sanitizer() &&
         ::pthread_atfork(nullptr, nullptr, arm_fork) == 0;
}

/// If it is blocked, the kernel ends the process instead of calling the handler.
bool is_signal_blocked() {
  sigset_t blocked;
  return ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked) != 0 || ::sigismember(&blocked, SIGSYS) != 0;
}

}  // namespace

void start() {
  static bool may = is_possible();
  if (is_on || !may || is_signal_blocked()) return;
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  library_sigaction(SIGSYS, &action, &others);
  may = is_on = arm();
  if (!is_on) library_sigaction(SIGSYS, &others, nullptr);
}

void stop() {
  if (!std::exchange(is_on, false)) return;
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  ::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
  library_sigaction(SIGSYS, &others, nullptr);
}

std::string unknown() {
#define STEST_CALL(name) \
  std::pair { SYS_##name, #name }
  static constexpr std::array names{
      STEST_CALL(clone),       STEST_CALL(clone3), STEST_CALL(connect),      STEST_CALL(epoll_create1),
      STEST_CALL(execve),      STEST_CALL(fork),   STEST_CALL(ioctl),        STEST_CALL(kill),
      STEST_CALL(prctl),       STEST_CALL(pipe2),  STEST_CALL(rt_sigaction), STEST_CALL(rt_sigprocmask),
      STEST_CALL(sigaltstack), STEST_CALL(socket), STEST_CALL(unlink),       STEST_CALL(write)};
#undef STEST_CALL
  if (first_unknown < 0) return "";
  const auto known =
      std::find_if(names.begin(), names.end(), [](const auto& one) { return one.first == first_unknown; });
  return known != names.end() ? known->second : "number " + std::to_string(first_unknown);
}

}  // namespace stest::raw_calls

namespace {

namespace raw_calls = stest::raw_calls;

sigset_t without_ours(const sigset_t& set) {
  sigset_t others = set;
  sigdelset(&others, SIGSYS);
  return others;
}

}  // namespace

// SIGSYS must stay unblocked: a blocked one would end the process.
#define STEST_MASK(name)                                                          \
  int name(int how, const sigset_t* set, sigset_t* before) noexcept {             \
    STEST_NEXT(name);                                                             \
    const bool blocks = raw_calls::is_on && set != nullptr && how != SIG_UNBLOCK; \
    const sigset_t others = blocks ? without_ours(*set) : sigset_t{};             \
    return original(how, blocks ? &others : set, before);                         \
  }

extern "C" {
#pragma GCC visibility push(default)

STEST_MASK(pthread_sigmask)
STEST_MASK(sigprocmask)

/// For SIGSYS this gets and sets the action that applies when no calls are watched.
int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
  STEST_NEXT(sigaction);
  if (signal != SIGSYS || !raw_calls::is_on) return original(signal, action, before);
  const struct sigaction wanted = action != nullptr ? *action : raw_calls::others;
  if (before != nullptr) *before = raw_calls::others;
  raw_calls::others = wanted;
  return 0;
}

#pragma GCC visibility pop
}

#else

namespace stest::raw_calls {

void start() {}
void stop() {}
std::string unknown() { return ""; }

}  // namespace stest::raw_calls

#endif
