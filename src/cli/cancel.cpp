#include "cli/cancel.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace stest {
namespace {

// The handler's only way to the object; -1 while there is none.
std::atomic<int> signal_pipe{-1};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void write_signal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<char>(signal);
  if (const int fd = signal_pipe.load(); fd >= 0) (void)!::write(fd, &byte, 1);
  errno = saved;
}

constexpr int handled[] = {SIGINT, SIGTERM, SIGHUP};
constexpr char end_of_service = 0;

}  // namespace

Escalation::Step Escalation::next(int signal, bool has_run) {
  if (!has_run) return Step::leave;
  level_ = std::max(level_ + 1, signal == SIGINT ? 1 : 2);
  switch (level_) {
    case 1:
      return Step::interrupt;
    case 2:
      return Step::terminate;
    case 3:
      return Step::kill;
    default:
      return Step::leave;
  }
}

Canceller::Canceller(Actions actions) : actions_(std::move(actions)) {
  auto pipe = make_pipe();
  if (!pipe) return;  // No descriptors left: signals keep their usual effect.
  pipe_ = std::move(*pipe);
  thread_ = std::thread([this] { serve(); });
  install_handlers();
}

void Canceller::install_handlers() {
  signal_pipe = pipe_.write.get();
  struct sigaction action {};
  action.sa_handler = write_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : handled) {
    struct sigaction previous {};
    ::sigaction(signal, nullptr, &previous);
    if (previous.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, &previous);
    previous_[signal] = previous;
  }
}

Canceller::~Canceller() {
  for (const auto& [signal, previous] : previous_) ::sigaction(signal, &previous, nullptr);
  signal_pipe = -1;
  if (!thread_.joinable()) return;
  (void)write_all(pipe_.write.get(), std::string_view(&end_of_service, 1));
  thread_.join();
}

void Canceller::run_started(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  run_ = id;
}

void Canceller::serve() {
  for (;;) {
    const auto read = read_some(pipe_.read.get(), 1);
    if (!read || read->end || read->data[0] == end_of_service) return;
    handle(read->data[0]);
  }
}

void Canceller::handle(int signal) {
  std::optional<std::uint64_t> run;
  {
    const std::lock_guard lock(mutex_);
    run = run_;
  }
  switch (escalation_.next(signal, run.has_value())) {
    case Escalation::Step::interrupt:
      return actions_.cancel(*run, CancelHow::interrupt);
    case Escalation::Step::terminate:
      return actions_.cancel(*run, CancelHow::terminate);
    case Escalation::Step::kill:
      return actions_.cancel(*run, CancelHow::kill);
    case Escalation::Step::leave:
      return actions_.leave(signal);
  }
}

void leave_by_signal(int signal) {
  if (signal == SIGINT) ::_exit(static_cast<int>(ExitCode::interrupted));
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

}  // namespace stest
