#include "worker/runner/stack_request.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/os/read_file.hpp"

namespace stest {

namespace {

struct Answer {
  EventPipe pipe;
  void (*dump)(int);
  pid_t asker;
};
/// What the handler uses; null during a change. The handler and all changes run in the main thread.
std::atomic<Answer*> answer{nullptr};

extern "C" void on_request(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const Answer* known = answer.load();
  if (known == nullptr || info->si_code != SI_TKILL || info->si_pid != known->asker) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);  // Blocked until this handler returns.
  } else if (known->pipe.is_intact()) {
    known->dump(signal);
    (void)!::write(known->pipe.fd(), "", 1);
  }
  errno = saved;
}

/// The 64 bits of a line such as "SigCgt:\t0000000000000002"; 0 if there is no such line.
std::uint64_t signal_set(std::string_view status, std::string_view name) {
  std::uint64_t set = 0;
  const auto line = status.find(std::string("\n") + std::string(name) + ":\t");
  if (line == status.npos) return set;
  const auto* begin = status.data() + line + name.size() + 3;
  std::from_chars(begin, status.data() + status.size(), set, 16);
  return set;
}

}  // namespace

int stack_signal() { return SIGRTMIN + 15; }

void answer_stack_requests(EventPipe pipe, void (*dump)(int)) {
  static std::unique_ptr<Answer> current;
  answer = nullptr;
  current = std::make_unique<Answer>(Answer{std::move(pipe), dump, ::getppid()});
  answer = current.get();
  struct sigaction action {};
  action.sa_sigaction = on_request;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigaction(stack_signal(), &action, nullptr);
}

bool takes_signal(std::string_view status, int signal) {
  const auto bit = std::uint64_t{1} << (signal - 1);
  return (signal_set(status, "SigCgt") & bit) != 0 && (signal_set(status, "SigBlk") & bit) == 0;
}

void request_stack(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  if (!status || !*status || !takes_signal(**status, stack_signal())) return;
  // To the main thread, which runs the tests: `faulthandler` then shows its stack as the current one.
  ::syscall(SYS_tgkill, pid, pid, stack_signal());
}

}  // namespace stest
