#include "cli/cancel.hpp"

#include <unistd.h>

#include <algorithm>

namespace stest {
namespace {

constexpr char end_of_service = 0;
/// `timeout` sends SIGTERM to its command, and immediately afterwards to its process group.
constexpr std::chrono::milliseconds echo{100};
/// Bytes from here on are not signals, but steps of a typed Ctrl-C.
constexpr char first_step = 100;

}  // namespace

Escalation::Step Escalation::next(int signal, bool has_run, Clock::time_point now) {
  if (!has_run) return Step::leave;
  if (signal == SIGTERM) return end(now);
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

Escalation::Step Escalation::end(Clock::time_point now) {
  level_ = std::max(level_, 2);
  if (ends_since_) return now - *ends_since_ < echo ? Step::nothing : Step::leave;
  ends_since_ = now;
  return Step::end;
}

Canceller::Canceller(Actions actions) : actions_(std::move(actions)), signals_({SIGINT, SIGTERM, SIGHUP}) {
  if (signals_.fd() >= 0) thread_ = std::thread([this] { serve(); });
}

Canceller::~Canceller() {
  if (!thread_.joinable()) return;
  signals_.post(end_of_service);
  thread_.join();
}

void Canceller::run_started(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  run_ = id;
}

void Canceller::typed(bool counts, bool reaches_tests) {
  const std::lock_guard lock(mutex_);
  if (!counts) return escalation_.begin_anew();
  const auto step = escalation_.next(SIGINT, run_.has_value());
  if (step == Escalation::Step::interrupt && reaches_tests) return;
  signals_.post(static_cast<char>(first_step + static_cast<int>(step)));
}

void Canceller::serve() {
  for (int byte = signals_.next(); byte != end_of_service; byte = signals_.next()) {
    if (byte >= first_step) {
      take(static_cast<Escalation::Step>(byte - first_step), SIGINT);
    } else {
      take(next_step(byte), byte);
    }
  }
}

Escalation::Step Canceller::next_step(int signal) {
  const std::lock_guard lock(mutex_);
  return escalation_.next(signal, run_.has_value());
}

void Canceller::take(Escalation::Step step, int signal) {
  std::unique_lock lock(mutex_);
  const auto run = run_.value_or(0);
  lock.unlock();
  switch (step) {
    case Escalation::Step::interrupt:
      return actions_.cancel(run, CancelHow::interrupt);
    case Escalation::Step::terminate:
      return actions_.cancel(run, CancelHow::terminate);
    case Escalation::Step::kill:
      return actions_.cancel(run, CancelHow::kill);
    case Escalation::Step::nothing:
      return;
    case Escalation::Step::end:
      return actions_.end ? actions_.end(run) : actions_.cancel(run, CancelHow::terminate);
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
